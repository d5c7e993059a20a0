"""A homework in JupyterLab, in a real browser, with nbgrader's own buttons: from fetching it to its grade."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from autograder.judge.check import check_submission
from autograder.judge.options import AttemptOptions
from autograder.notebook.generate import make_notebook, notebook_files
from tests.lab import (
    COURSE,
    add_cell,
    browser_page,
    jupyterlab,
    make_home,
    nbgrader,
    open_nbgrader,
    open_notebook,
    run_cell,
    save,
    start_cell,
    write_cell,
)
from tests.tiny_course import write

HW1 = COURSE.assignment("hw1")
SOURCE = make_notebook(HW1, notebook_files(HW1)[0], "solution")
CELLS = json.loads(SOURCE)["cells"]
RIGHT, WRONG = "!= label for", "== label for"  # errors counts what is right
UNSAVED = "save first"


def place(grade_id):
    return next(at for at, one in enumerate(CELLS) if one["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def solution_cells():
    """The places of the cells that students write in, with the reference; the last of them has `errors` wrong."""
    for at, one in enumerate(CELLS):
        if one["metadata"].get("nbgrader", {}).get("solution"):
            yield at, "".join(one["source"]).replace(RIGHT, WRONG)


def shot(page, name):
    """Keep a picture of the page, where GRADE_SCREENSHOTS says."""
    if folder := os.environ.get("GRADE_SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}.png"))


@pytest.mark.ci
@pytest.mark.chromium
@pytest.mark.nbgrader
@pytest.mark.timeout(600)
def test_a_homework_from_fetch_to_formgrader(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    make_home(home)
    write(home / "class/source/hw1/hw1.ipynb", SOURCE)
    nbgrader(home, "generate_assignment", "hw1")
    nbgrader(home, "release_assignment", "hw1")
    with jupyterlab(home) as lab, browser_page(tmp_path / "browser") as page:
        page.goto(lab.url("lab"))
        fetch(page, home)
        open_notebook(page, lab, "hw1/hw1.ipynb")
        edit_and_check(page, home / "hw1/hw1.ipynb")
        check_cells(page)
        stop(page, lab)
        validate(page)
        submit(page, home)
        nbgrader(home, "collect", "hw1")
        nbgrader(home, "autograde", "hw1")
        graded = check_submission("hw1", home / "hw1/hw1.ipynb", COURSE.folder, AttemptOptions(hidden=True))
        look_into_formgrader(page, f"{graded.score:g} / 100")
    nbgrader(home, "generate_feedback", "hw1")
    (feedback,) = (home / "class/feedback").glob("*/hw1/hw1.html")
    look_into_feedback(feedback.read_text(encoding="utf-8"))


def fetch(page, home):
    open_nbgrader(page, "Assignment List")
    page.get_by_text("Fetch", exact=True).click()
    page.get_by_text("Submit", exact=True).wait_for()
    fetched = json.loads((home / "hw1/hw1.ipynb").read_text(encoding="utf-8"))
    assert [one["id"] for one in fetched["cells"]] == [one["id"] for one in CELLS]
    shot(page, "1_fetched")


def edit_and_check(page, file):
    """The notebook is edited; what was run and not saved is said to be so; the saved one is checked as a whole."""
    for at, source in solution_cells():
        write_cell(page, at, source)
    run_cell(page, place("hw1-solution-1"))
    first = run_cell(page, place("hw1-task-1-1-public"))
    assert UNSAVED in first.inner_text()
    assert "not implemented yet" in first.inner_text()
    shot(page, "2_not_saved")
    add_cell(page, "%load_ext autograder\n%grade check hw1")
    save(page, file)
    checked = run_cell(page, -1)
    report = checked.locator(".autograder-report")
    report.wait_for()
    assert "Score 57 / 66" in report.inner_text()
    assert "hidden checks, 34 points" in report.inner_text()
    assert UNSAVED not in report.inner_text()
    shot(page, "3_grade_check")
    # What JupyterLab has for tables of its own would put every sentence to the right.
    title = report.locator("td:nth-child(3)").first
    assert title.evaluate("cell => getComputedStyle(cell).textAlign") == "start"


def check_cells(page):
    """The cell under a task checks that task: quiet where it is right, our words and no traceback where it is not."""
    right = run_cell(page, place("hw1-task-1-4-public"))
    right.locator(".autograder-report").wait_for()
    assert "Score 8 / 8" in right.inner_text()
    assert right.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    wrong = run_cell(page, place("hw1-task-1-5-public"))
    wrong.locator(".autograder-report").wait_for()
    error = wrong.locator("[data-mime-type='application/vnd.jupyter.stderr']")
    error.wait_for()
    shot(page, "4_check_cell")
    assert error.inner_text().strip() == "Not all checks passed; the report above says why."
    assert "A count, not a share" in wrong.inner_text()
    assert "Traceback" not in wrong.inner_text()


def stop(page, lab):
    """While a check runs, its cell says what it does and the server answers; the stop button ends it."""
    at = place("hw1-solution-1")
    written = "".join(CELLS[at]["source"])
    write_cell(page, at, f"import time\n\ntime.sleep(600)\n\n{written}")
    save(page, lab.home / "hw1/hw1.ipynb")
    checking = start_cell(page, -1)
    checking.get_by_text("importing").wait_for()
    lab.status_s()
    assert checking.locator(".jp-InputPrompt").inner_text() == "[*]:"
    shot(page, "5_checking")
    page.locator(".jp-NotebookPanel:visible [data-jp-item-name='interrupt'] jp-button").click()
    checking.get_by_text("The check was stopped.").wait_for()
    write_cell(page, at, written)
    save(page, lab.home / "hw1/hw1.ipynb")


def validate(page):
    """nbgrader's own button shows the first check cell that fails, with what is in its error and nothing else."""
    page.get_by_role("button", name="Validate").click()
    dialog = page.locator(".jp-Dialog", has_text="Validation Results")
    dialog.wait_for(timeout=240_000)
    shot(page, "6_validate")
    said = dialog.inner_text()
    assert 'check("hw1", "1.5")' in said
    assert "A count, not a share" in said
    assert "Traceback" not in said
    dialog.get_by_role("button", name="Ok").click()


def submit(page, home):
    open_nbgrader(page, "Assignment List")
    page.get_by_text("Submit", exact=True).click()
    page.locator("#submitted_assignments_list, #submitted_assignments_list_placeholder").get_by_text(
        "hw1"
    ).first.wait_for()
    shot(page, "7_submitted")
    (handed_in,) = (home / "exchange/dl101/inbound").glob("*/hw1.ipynb")
    assert WRONG in handed_in.read_text(encoding="utf-8")


def look_into_formgrader(page, score):
    """The instructor's page lists the submission with its score, and shows the graded notebook."""
    open_nbgrader(page, "Formgrader")
    frame = page.frame_locator("iframe").first
    frame.get_by_role("link", name="Manual Grading").click()
    frame.get_by_role("row").get_by_role("link", name="hw1").click()
    frame.get_by_text("Avg. Code Score").wait_for()
    row = frame.get_by_role("row").filter(has_text="hw1")
    row.first.wait_for()
    assert score in row.first.inner_text()
    shot(page, "8_formgrader")
    row.first.get_by_role("link", name="hw1").click()
    frame.get_by_role("link", name="Submission #1").click()
    frame.locator(".autograder-report").first.wait_for()
    shot(page, "9_graded")
    assert "A count, not a share" in frame.locator("body").inner_text()


def look_into_feedback(feedback):
    """Students read what public checks say; of hidden ones the sentence, the status and the points."""
    assert "A count, not a share" in feedback
    for path in HW1.hidden.glob("test_*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        assert [line for line in lines if len(line) > 30 and line in feedback and not line.startswith('"""')] == []
