"""Write the schema files anew."""

from autograder.schema import schemas

for path, content in schemas().items():
    path.write_text(content, encoding="utf-8", newline="\n")
