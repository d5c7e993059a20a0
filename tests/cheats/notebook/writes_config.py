with open('{root}/nbgrader_config.py', 'a') as file:
    file.write('raise SystemExit(9)')
