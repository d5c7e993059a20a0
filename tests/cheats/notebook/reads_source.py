import json

for cell in json.load(open('{root}/source/hw1/hw1.ipynb'))['cells']:
    if cell['cell_type'] == 'code':
        exec(''.join(cell['source']))
