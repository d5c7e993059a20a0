from __future__ import annotations

import ast
import json
import tokenize

import pytest

from autograder import notebook_source
from autograder.course import load_course
from autograder.errors import UsageError
from autograder.notebook_source import notebook_to_module
from autograder.submission import find, read_file
from tests.tiny_course import SOLUTION, make_course


def notebook(*cells, **changes):
    made = [
        {"cell_type": kind, "metadata": {}, "source": source}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for kind, source in ((cell if isinstance(cell, tuple) else ("code", cell)) for cell in cells)
    ]
    whole = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4} | changes
    return json.dumps(whole, ensure_ascii=False).encode()


def _source(*cells):
    return notebook_to_module(notebook(*cells), "a.ipynb").source


def test_code_cells_become_one_module_with_the_line_of_each():
    made = notebook_to_module(notebook("x = 1\ny = 2", ("markdown", "# words"), "z = 3", "", "w = 4"), "a.ipynb")
    assert made.source == "x = 1\ny = 2\nz = 3\nw = 4\n"
    assert [tuple(cell) for cell in made.cells] == [(1, 1), (3, 2), (4, 3), (4, 4)]


@pytest.mark.parametrize("codes", [[0xD800], [0xDFFF], [0xDC00, 0xDBFF]])
def test_security_half_of_a_surrogate_pair_in_a_cell_can_be_written(codes):
    """JSON can hold one, UTF-8 can't: one notebook would stop the whole class run."""
    half = "".join(map(chr, codes))
    content = notebook("x = 'half\U0001f600'").replace(b"half", half.encode("ascii", "backslashreplace"))
    cell = json.loads(content)["cells"][0]["source"]
    with pytest.raises(UnicodeEncodeError):
        cell.encode()
    made = notebook_to_module(content, "a.ipynb").source
    replaced = "\ufffd" * len(half)
    assert made == f"x = '{replaced}\U0001f600'\n"
    assert made.encode()


def test_a_cell_may_be_a_list_of_lines():
    assert _source(["x = 1\n", "y = 2\n"]) == "x = 1\ny = 2\n"


@pytest.mark.parametrize(
    "line",
    ["%matplotlib inline", "!pip install torch", "%%time", "%cd x", "?fit", "fit?", "model.fit??", "%load_ext x"],
)
@pytest.mark.parametrize("indent", ["", "    "])
def test_magics_become_statements_that_do_nothing(line, indent):
    before = "if x:\n" if indent else ""
    if line == "%%time" and indent:
        pytest.skip("a cell magic is never indented")
    source = _source(f"{before}{indent}{line}\ny = 1")
    assert len(source.splitlines()) == len(before.splitlines()) + 2
    ast.parse(source)
    assert f"{indent}pass  # {line}" in source


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("%time fit()", "fit()"),
        ("    %time model = fit(x)", "    model = fit(x)"),
        ("%prun -l 3 fit()", "fit()"),
        ("%prun -l3 -q fit( 1 )", "fit( 1 )"),
        ("%time -x", "pass  # %time -x"),
        ("x == %y", "x == %y"),
        ("files = !ls", "files = None"),
        ("a, b = %timeit -o f()", "a, b = None"),
        ("  x = %pwd", "  x = None"),
        ("x = a % b", "x = a % b"),
        ("x = a != b", "x = a != b"),
        ("print('50%')", "print('50%')"),
        ("x = '%d' % 3", "x = '%d' % 3"),
        ("# what?", "# what?"),
        ("y = 'why?'", "y = 'why?'"),
    ],
)
def test_only_magics_are_changed(line, becomes):
    assert _source(line) == becomes + "\n"


@pytest.mark.parametrize("cell", ["print(\n    'loss %f'\n    % loss\n)", "x = (\n    a\n    != b\n)"])
def test_a_line_that_goes_on_with_an_operator_is_no_magic(cell):
    assert _source(cell) == cell + "\n"


def test_a_shell_command_may_go_on_over_several_lines():
    source = _source("!pip install \\\n  torch \\\n  numpy\nx = 1")
    assert source.splitlines() == ["pass  # !pip install \\", "#   torch \\", "#   numpy", "x = 1"]


@pytest.mark.parametrize("cell", ["x = 'a' \\\n% b", '"""\n%matplotlib inline\n"""', "f(\n!ls\n)"])
def test_what_is_inside_a_statement_is_left_as_it_is(cell):
    assert _source(cell) == cell + "\n"


def test_a_magic_after_a_mistake_of_indentation_is_still_one():
    assert _source("if x:\n        y\n    z\n%cd x").splitlines()[-1] == "pass  # %cd x"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "cell",
    [
        "%time " + "-lx " * 100_000 + "-",
        "%prun " + "-l " * 100_000,
        "x = 1\n" + " " * 1_000_000,
        "x, " * 300_000 + "!",
        "x = [\n" + "1,\n" * 5_000 + "%a\n" * 5_000,
        "%a\\\n" * 50_000,
    ],
    ids=["options", "options with values", "spaces", "names", "an open bracket", "lines that go on"],
)
def test_security_no_cell_keeps_the_judge_busy(cell):
    assert _source(cell)


@pytest.fixture
def tokens(monkeypatch):
    """What has been looked at so far."""
    seen = []
    generate = tokenize.generate_tokens

    def noted(readline):
        for token in generate(readline):
            seen.append(token.type)
            yield token

    monkeypatch.setattr(tokenize, "generate_tokens", noted)
    return seen


@pytest.mark.parametrize("cells", [["x = (\n" + "%\n" * 100] * 50, ["x = (\n" + "\n" * 10_000 + "%\n" * 100]])
def test_security_no_notebook_keeps_the_judge_busy(monkeypatch, tokens, cells):
    monkeypatch.setattr(notebook_source, "_MOST_CHARS", 20_000)
    assert _source(*cells)
    assert 0 < len(tokens) <= 2 * 20_000


def test_work_grows_with_the_notebook_and_not_with_its_square(tokens):
    counts = []
    for lines in (50, 200):
        tokens.clear()
        _source("%x\n" * lines)
        counts.append(len(tokens))
    assert counts[1] <= 8 * counts[0]


@pytest.mark.parametrize("magic", ["bash", "html", "writefile a.py", "javascript", ""])
def test_cells_in_other_languages_become_comments_line_by_line(magic):
    source = _source("x = 1", f"%%{magic}\nrm -rf /\n<b>", "y = 2")
    assert source.splitlines() == ["x = 1", f"# %%{magic}", "# rm -rf /", "# <b>", "y = 2"]


@pytest.mark.parametrize("magic", ["time", "timeit -n 3", "capture out"])
def test_cell_magics_over_python_leave_the_python(magic):
    source = _source(f"%%{magic}\nx = 1")
    assert source.splitlines()[1] == "x = 1"
    ast.parse(source)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "not a readable notebook"),
        (b"print('no notebook')", "not a readable notebook"),
        (b"[]", "not a readable notebook"),
        (b'{"nbformat": 99}', "not a readable notebook"),
        (b"\xff\xfe\x00", "not a readable notebook"),
        (notebook(), "no code cell"),
        (notebook(("markdown", "only words")), "no code cell"),
        (notebook("", "  \n"), "no code cell"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(content, says):
    with pytest.raises(UsageError, match=says):
        notebook_to_module(content, "a.ipynb")


def test_a_notebook_of_version_3_is_read():
    cell = {"cell_type": "code", "input": "x = 1", "outputs": [], "language": "python", "metadata": {}}
    old = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [cell]}]}
    assert notebook_to_module(json.dumps(old).encode(), "a.ipynb").source == "x = 1\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_encodings_of_chinese_editors(encoding):
    made = notebook_to_module(notebook("x = '感知机'").decode().encode(encoding), "a.ipynb")
    assert made.source == "x = '感知机'\n"


@pytest.mark.parametrize(("content", "hint"), [(b'{"cells": ', "save it again"), (b"x = 1", "a name that ends in .py")])
def test_what_cannot_be_read_comes_with_what_to_do(content, hint):
    with pytest.raises(UsageError) as caught:
        notebook_to_module(content, "a.ipynb")
    assert hint in caught.value.hint


# --- as a submission ------------------------------------------------------------------------------------------------


@pytest.fixture
def assignment(tmp_path):
    return load_course(make_course(tmp_path / "course")).assignment("hw1")


def test_a_notebook_is_read_as_a_module_of_the_same_name(tmp_path):
    path = tmp_path / "作业 1.ipynb"
    path.write_bytes(notebook("%matplotlib inline\nimport torch", SOLUTION))
    made = read_file(path)
    assert (made.main, made.name) == ("作业 1.py", "作业 1.ipynb")
    assert made.frameworks == ("torch",)
    assert set(made.files) == {"作业 1.py"}


def test_a_notebook_that_is_called_py_is_one_all_the_same(tmp_path):
    path = tmp_path / "sums.py"
    path.write_bytes(notebook("%matplotlib inline\nx = 1", "y = 2"))
    made = read_file(path)
    assert (made.main, made.name, set(made.files)) == ("sums.py", "sums.py", {"sums.py"})
    assert made.place("sums.py", 3) == "sums.py, code cell 2, line 1"


def test_a_line_is_placed_in_its_cell(tmp_path):
    path = tmp_path / "sums.ipynb"
    path.write_bytes(notebook("x = 1\ny = 2", "z = 3"))
    made = read_file(path)
    assert made.place("sums.py", 2) == "sums.ipynb, code cell 1, line 2"
    assert made.place("sums.py", 3) == "sums.ipynb, code cell 2, line 1"
    assert made.place("other.py", 3) == "other.py:3"


def test_a_notebook_is_read_with_the_siblings_it_imports(tmp_path):
    path = tmp_path / "sums.ipynb"
    path.write_bytes(notebook("import layers\nfrom tools import f"))
    for name in ("layers.py", "tools.py"):
        (tmp_path / name).write_text("f = 1\n", encoding="utf-8")
    assert set(read_file(path).files) == {"sums.py", "layers.py", "tools.py"}


def test_a_notebook_is_found_where_a_file_would_be(assignment, tmp_path):
    (tmp_path / "sums.ipynb").write_bytes(notebook(SOLUTION))
    assert find(assignment, None, tmp_path).name == "sums.ipynb"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "my notebook.ipynb").write_bytes(notebook(SOLUTION))
    assert find(assignment, folder, tmp_path).name == "my notebook.ipynb"


def test_a_worked_on_notebook_beside_the_untouched_stub_is_meant(assignment, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    (here / "sums.ipynb").write_bytes(notebook(SOLUTION))
    (here / "sums.py").write_bytes((assignment.folder / "sums.py").read_bytes())
    assert find(assignment, None, here).name == "sums.ipynb"
    assert find(assignment, here, here).name == "sums.ipynb"
