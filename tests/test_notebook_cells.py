"""What check cells and %grade do in a kernel: a real one, on a saved notebook."""

from __future__ import annotations

import json

import nbformat
import pytest

from autograder.errors import UsageError
from autograder.messages import speaking
from autograder.notebook.checking import in_words, saved_notebook
from autograder.report.html import report_html
from autograder.results import Status
from tests.tiny_course import SOLUTION, attempt, environment, make_course, write

WRONG = SOLUTION.replace("return a + b", "return a - b")
CHECK = "from autograder.notebook import check\n\ncheck('hw1', '1.1')"


@pytest.fixture
def folder(tmp_path):
    make_course(tmp_path)
    return write(tmp_path / "hw1/hw1.ipynb", "{}").parent


def run(folder, *sources, monkeypatch):
    """Save a notebook and run it, each cell whatever those before it have come to; return the cells' outputs."""
    import nbclient

    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, folder / "hw1.ipynb")
    nbclient.NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs for cell in notebook.cells]


def errors(outputs):
    return ["\n".join(output.traceback) for output in outputs if output.output_type == "error"]


def html(outputs):
    return "".join(output.data.get("text/html", "") for output in outputs if "data" in output)


@pytest.mark.ipykernel
def test_a_right_answer_and_the_commands(folder, monkeypatch):
    _, check, load, magic, which, unknown, listing = run(
        folder, SOLUTION, CHECK, "%load_ext autograder", "%grade check hw1 --task 1.1", "%grade check",
        "%grade check hw9", "%grade list", monkeypatch=monkeypatch,
    )  # fmt: skip
    assert errors(check) == errors(load) == errors(magic) == []
    assert "10/10" in html(check)
    assert "10/10" in html(magic)
    assert errors(which) == ["which assignment?\nWrite its id: %grade check hw2"]
    assert "hw9" in errors(unknown)[0]
    assert "Traceback" not in errors(unknown)[0]
    assert "Tiny course" in listing[0].text


@pytest.mark.ipykernel
def test_a_wrong_answer_is_told_in_our_words_and_no_others(folder, monkeypatch):
    _, patched, check, _, cell = run(
        folder, SOLUTION, "def add(a, b): return a - b", CHECK,
        "%load_ext autograder", f"%%grade hw1 --task 1.1\n{SOLUTION}", monkeypatch=monkeypatch,
    )  # fmt: skip
    assert errors(patched) == []
    # the last `add` of the notebook is the right one: the file is what counts, and not what the kernel holds
    assert errors(check) == []
    assert "10/10" in html(cell)
    _, check, _, cell = run(
        folder, WRONG, CHECK, "%load_ext autograder", f"%%grade hw1 --task 1.1\n{WRONG}", monkeypatch=monkeypatch
    )
    (said,) = errors(check)
    assert said.splitlines() == [
        "Score 0 / 10  failed",
        "0/10  add returns the sum of two numbers",
        "    expected: 5",
        "    came: -1",
        "    try: Use +.",
    ]
    assert "0/10" in html(check)
    assert "0/10" in html(cell)


# --- which notebook -------------------------------------------------------------------------------------------------


def test_the_notebook_is_the_sessions(folder, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "hw1.ipynb"))
    write(folder / "other.ipynb", "{}")
    assert saved_notebook("hw1", folder) == folder / "hw1.ipynb"


def test_the_notebook_is_found_by_what_it_is_about(folder, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    about = {"metadata": {"autograder": {"assignment": "hw2"}}}
    write(folder / "renamed.ipynb", json.dumps(about))
    write(folder / "damaged.ipynb", "{")
    assert saved_notebook("hw2", folder) == folder / "renamed.ipynb"
    with pytest.raises(UsageError, match="no saved notebook about hw3"):
        saved_notebook("hw3", folder)
    write(folder / "hw2.ipynb", json.dumps(about))
    with pytest.raises(UsageError, match=r"hw2\.ipynb, renamed\.ipynb"):
        saved_notebook("hw2", folder)


# --- the report as HTML ---------------------------------------------------------------------------------------------


def test_a_report_in_html_says_what_the_terminals_says(tmp_path):
    report = attempt(make_course(tmp_path), WRONG)
    made = report_html(report)
    for said in ("add returns the sum of two numbers", "0/10", "came", "-1", "Use +.", "failed"):
        assert said in made
    with speaking("zh"):
        assert "得分" in report_html(report)


def test_security_what_a_student_says_is_never_markup(tmp_path):
    attack = "<img src=x onerror=alert(1)>"
    report = attempt(make_course(tmp_path), f"print({attack!r})\nraise ValueError({attack!r})")
    assert report.status is not Status.PASSED
    made = report_html(report)
    assert attack not in made
    assert "&lt;img src=x onerror=alert(1)&gt;" in made
    said = dict.fromkeys(("message", "expected", "came", "hint", "title", "stdout_tail"), attack)
    failed = report.checks[0].model_copy(update={**said, "frames": (attack,)})
    told = {"checks": (failed,), "message": "", "submission": attack, "device_problem": attack}
    assert attack not in report_html(report.model_copy(update=told))


def test_a_report_in_words_has_every_check_that_failed(tmp_path):
    said = in_words(attempt(make_course(tmp_path), WRONG))
    assert said.startswith("Score ")
    assert "add returns the sum" in said
