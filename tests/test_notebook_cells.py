"""What check cells and %grade do in a kernel: a real one, on a saved notebook."""

from __future__ import annotations

import gc
import json
import os
import time
import warnings
from types import SimpleNamespace

import nbformat
import psutil
import pytest

from autograder.errors import UsageError
from autograder.messages import speaking
from autograder.notebook.checking import in_words
from autograder.notebook.saved import language_of, look_at, saved_notebook
from autograder.report.html import report_html
from autograder.results import Status
from tests.tiny_course import SOLUTION, attempt, environment, make_course, write

WRONG = SOLUTION.replace("return a + b", "return a - b")
CHECK = "from autograder.notebook import check\n\ncheck('hw1', '1.1')"


@pytest.fixture(autouse=True)
def loops_of_jupyter():
    """Let go of what jupyter_client leaves open, here: its event loops' sockets would be found in another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


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
def test_what_could_not_be_done_is_said_as_the_command_says_it(folder, monkeypatch):
    outputs = run(
        folder, SOLUTION, "%load_ext autograder", "%grade check hw1 --task 7", CHECK.replace("1.1", "7"),
        "%grade check hw1 --bogus", "%grade check hw1 --help", monkeypatch=monkeypatch,
    )  # fmt: skip
    task, cell, option = (errors(one)[0] for one in outputs[2:-1])
    assert outputs[-1][0].text.startswith("Usage: grade check ")
    assert task == cell == "There is no task '7' in hw1.\nIts tasks are: 1.1, 2."
    assert "--bogus" in option


@pytest.mark.ipykernel
def test_a_wrong_answer_is_told_in_our_words_and_no_others(folder, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
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
    for by in ("", "autograde"):  # the report stands above it, and says the score
        monkeypatch.setenv("NBGRADER_EXECUTION", by)
        _, check = run(folder, WRONG, CHECK, monkeypatch=monkeypatch)
        assert errors(check) == ["Not all checks passed; the report above says why."]
        assert html(check).count("Score 0 / 10") == 1


# --- stopped ----------------------------------------------------------------------------------------------------------


@pytest.mark.ipykernel
@pytest.mark.parametrize("stop", ["interrupt_kernel", "shutdown_kernel"])
def test_a_stopped_check_leaves_nothing_running(folder, monkeypatch, stop):
    """The stop button; and the kernel shut down, as when its tab is closed for good."""
    from jupyter_client.manager import start_new_kernel

    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    endless = SOLUTION.replace("return a + b", "import time; time.sleep(600)")
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(endless)]), folder / "hw1.ipynb")
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        asked = client.execute(CHECK)
        told = told_about(client, asked)
        next(message for message in told if "html" in str(message["content"]) and "add" in str(message["content"]))
        running = psutil.Process(manager.provisioner.pid).children(recursive=True)
        assert len(running) >= 2  # the check and its box
        getattr(manager, stop)(**({"now": False} if stop == "shutdown_kernel" else {}))
        _, left = psutil.wait_procs(running, timeout=60)
        assert left == []
        if stop == "interrupt_kernel":
            error = next(message["content"] for message in told if message["msg_type"] == "error")
            assert error["traceback"] == ["The check was stopped."]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def told_about(client, asked):
    """Yield what the kernel publishes about one cell, while it runs."""
    while True:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") == asked:
            yield message


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


def test_a_notebook_that_is_behind_what_was_run_is_told_until_it_is_saved(folder):
    path = save(folder, SOLUTION, CHECK)
    assert not look_at(path, ran(SOLUTION, CHECK)).lacks_last_run
    assert not look_at(path, ran(WRONG, SOLUTION, "%load_ext autograder", CHECK)).lacks_last_run
    assert look_at(path, ran(SOLUTION, WRONG, CHECK)).lacks_last_run
    assert look_at(path, ran(SOLUTION, WRONG, CHECK, CHECK)).lacks_last_run  # checked again, and still not saved
    os.utime(save(folder, WRONG, CHECK), ns=(0, 0))
    assert look_at(path, ran(SOLUTION, WRONG, CHECK, CHECK)) == (pytest.approx(time.time(), rel=0.1), False)
    assert look_at(path, ran(CHECK)).age_text().endswith(" h ago")
    assert look_at(write(folder / "hw1.ipynb", "{"), ran(SOLUTION, CHECK)) == (None, False)


@pytest.mark.ipykernel
def test_a_cell_that_was_run_and_deleted_is_no_reason_to_save(folder):
    """A notebook that was saved since has it no more; before that, nobody can tell whether it is still there."""
    from IPython.core.events import EventManager, available_events

    tried = "add(2, 2)"
    shell = ran(SOLUTION, CHECK)
    shell.events = EventManager(shell, available_events)
    path = save(folder, SOLUTION, CHECK)
    assert not look_at(path, shell).lacks_last_run
    for source in (tried, CHECK):
        shell.events.trigger("pre_run_cell", SimpleNamespace(raw_cell=source))
        shell.history_manager.input_hist_raw.append(source)
    now_s = time.time()
    os.utime(path, (now_s - 60, now_s - 60))
    assert look_at(path, shell).lacks_last_run  # not saved since it was run: it may be there, and unsaved
    os.utime(path, (now_s + 60, now_s + 60))
    assert not look_at(path, shell).lacks_last_run


def save(folder, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "hw1.ipynb")
    return folder / "hw1.ipynb"


def ran(*sources):
    """An IPython that has run some cells; the last one is running."""
    return SimpleNamespace(history_manager=SimpleNamespace(input_hist_raw=["", *sources]))


def test_a_notebook_is_spoken_to_in_its_language_unless_the_user_says_another(folder, monkeypatch):
    chinese = write(folder / "hw1.ipynb", json.dumps({"metadata": {"autograder": {"language": "zh"}}}))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("GRADE_LANG", raising=False)
    assert language_of(chinese) == "zh"
    assert language_of(write(folder / "other.ipynb", "{}")) == "en"
    monkeypatch.setenv("GRADE_LANG", "en")
    assert language_of(chinese) == "en"


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
