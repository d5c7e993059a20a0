"""jsonschema comes without the parsers that no notebook needs, and whoever needs them still gets them."""

from __future__ import annotations

import subprocess
import sys

import nbformat
import pytest

pytest.importorskip("rfc3987_syntax")

PARSERS = "sorted(name for name in ('lark', 'rfc3987_syntax') if name in sys.modules)"


def loaded_by(code):
    program = f"import sys\n{code}\nprint({PARSERS})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_notebook_is_read_without_the_parsers_that_jsonschema_loads_by_itself():
    assert loaded_by("import nbformat") == "['lark', 'rfc3987_syntax']"
    notebook = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]))
    code = (
        "from autograder.notebook_source import notebook_to_module\n"
        f"print(notebook_to_module({notebook.encode()!r}, 'a.ipynb').source)"
    )
    assert loaded_by(code).splitlines() == ["x = 1", "", "[]"]


@pytest.mark.nbgrader
def test_the_commands_for_nbgrader_start_without_them():
    assert loaded_by("import autograder.nbgrader.batch") == "[]"


def test_whoever_imports_them_later_gets_them():
    code = "from autograder.quick_start import load_jsonschema\nload_jsonschema()\nimport rfc3987_syntax"
    assert loaded_by(code) == "['lark', 'rfc3987_syntax']"
