"""`nbgrader autograde` with our judge and box behind it, by nbgrader's own commands."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.box.screen import MOST_FIGURES
from autograder.course import find_course
from autograder.judge.check import check_submission
from autograder.judge.options import AttemptOptions
from autograder.messages import text
from autograder.notebook.generate import make_notebook, notebook_files
from autograder.notebook.graded import fill_in, graded_cells, nothing_earned
from tests.tiny_course import environment, write

COURSE = find_course(Path(__file__))
HW1 = COURSE.assignment("hw1")
SOURCE = make_notebook(HW1, notebook_files(HW1)[0], "solution")
WRONG = SOURCE.replace("!= label for", "== label for")  # errors counts what is right

SHOWING = """
import matplotlib.pyplot as plt
print("loss 0.25 <script>alert(1)</script>")
plt.plot([3, 2, 1])
class Html:
    def _repr_html_(self): return "<script>alert(2)</script>"
display(Html())
"""
NOISY = """
for _ in range(100):
    print("x" * 65535)
for _ in range(40):
    plt.figure().gca()
"""

CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "dl101"
c.CourseDirectory.root = {root!r}
c.GradeNotebook.course = {course!r}
c.Autograde.autograde_preprocessors = [
    "autograder.notebook.preprocessor.GradeNotebook",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
"""


def with_cells(notebook, *sources):
    """Return a notebook with more cells of the student's at its end."""
    made = nbformat.reads(notebook, as_version=4)
    made.cells += [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.writes(made)


def score_of(cell):
    return float(cell.outputs[-1].data["text/plain"])


def test_check_cells_get_what_their_tasks_checks_earned(tmp_path):
    report = check_submission("hw1", write(tmp_path / "hw1.ipynb", WRONG), COURSE.folder, AttemptOptions(hidden=True))
    earned = graded_cells(HW1, report)
    assert {name: one.score for name, one in earned.items() if one.score < one.max_points} == {
        "hw1-task-1-5-public": 0,
        "hw1-task-1-5-hidden": 4,
        "hw1-task-1-6-hidden": 4,  # one of its checks needs what is wrong
    }
    assert sum(one.max_points for one in earned.values()) == HW1.spec.points
    notebook = nbformat.reads(WRONG, as_version=4)
    notebook.cells.append(
        nbformat.v4.new_code_cell("", metadata={"nbgrader": {"grade": True, "grade_id": "mine", "points": 99}})
    )
    fill_in(notebook, HW1, report)
    filled = {cell.metadata.nbgrader.grade_id: score_of(cell) for cell in notebook.cells if cell.get("outputs")}
    assert filled == {**{name: one.score for name, one in earned.items()}, "mine": 0}
    hidden = next(cell for cell in notebook.cells if cell.id == "hw1-task-1-5-hidden")
    public = next(cell for cell in notebook.cells if cell.id == "hw1-task-1-5-public")
    assert "came" in public.outputs[0].data["text/html"]
    assert "came" not in hidden.outputs[0].data["text/html"]
    nbformat.validate(notebook)


def test_where_nothing_can_be_checked_every_cell_earns_nothing():
    notebook = nbformat.reads(SOURCE, as_version=4)
    nothing_earned(notebook, "<b>empty</b>")
    cells = [cell for cell in notebook.cells if cell.get("outputs")]
    assert sum(cell.metadata.nbgrader.points for cell in cells) == HW1.spec.points
    assert {score_of(cell) for cell in cells} == {0}
    assert all("&lt;b&gt;empty" in cell.outputs[0].data["text/html"] for cell in cells)


@pytest.mark.nbgrader
@pytest.mark.matplotlib
def test_nbgraders_own_commands_give_the_judges_scores(tmp_path):
    root = tmp_path / "class"
    write(root / "nbgrader_config.py", CONFIG.format(root=str(root), course=str(COURSE.folder)))
    write(root / "source/hw1/hw1.ipynb", SOURCE)
    run(root, "generate_assignment", "hw1")
    released = root / "release/hw1/hw1.ipynb"
    assert "BEGIN SOLUTION" not in released.read_text(encoding="utf-8")
    write(root / "submitted/s01/hw1/hw1.ipynb", with_cells(SOURCE, SHOWING, NOISY))
    write(root / "submitted/s03/hw1/hw1.ipynb", WRONG)
    (root / "submitted/s02/hw1").mkdir(parents=True)
    shutil.copy(released, root / "submitted/s02/hw1/hw1.ipynb")
    run(root, "autograde", "hw1")
    run(root, "export")
    with (root / "grades.csv").open(encoding="utf-8") as file:
        assert {row["student_id"]: float(row["raw_score"]) for row in csv.DictReader(file)} == {
            "s01": 100, "s02": 0, "s03": 82,
        }  # fmt: skip
    run(root, "generate_feedback", "hw1")
    shown = (root / "feedback/s01/hw1/hw1.html").read_text(encoding="utf-8")
    assert "loss 0.25 &lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "alert(2)" not in re.sub(
        r"<div class=.+?highlight.+?</pre>", "", shown, flags=re.DOTALL
    )  # but in its source
    assert 2 <= shown.count("data:image/png;base64,") <= MOST_FIGURES
    assert text("notebook.figure_left_out") in shown
    assert len(shown) < 3_000_000
    feedback = (root / "feedback/s03/hw1/hw1.html").read_text(encoding="utf-8")
    assert "errors is the number of samples" in feedback
    for path in HW1.hidden.glob("test_*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        assert [line for line in lines if len(line) > 30 and line in feedback and not line.startswith('"""')] == []


def run(root, *arguments):
    # nbgrader looks for alembic, by that name, where commands are looked for
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "nbgrader", *arguments], cwd=root, env=environment(PATH=commands),
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
