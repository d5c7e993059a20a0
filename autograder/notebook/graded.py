"""A report written into a notebook's check cells, as nbgrader reads it.

nbgrader reads a cell's score from its first `execute_result`, and its feedback shows a cell's outputs: so the
report of a task stands above its number, and nothing else of nbgrader's has to change.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from autograder.course import LoadedAssignment
from autograder.messages import text
from autograder.notebook.generate import of_task
from autograder.report.html import checks_html
from autograder.report.words import points_text
from autograder.results import CellPart, CheckResult, Report

UNREADABLE = "unreadable"
"""Where a notebook's metadata says, under `autograder`, why there is nothing in it that could be graded."""


class Graded(NamedTuple):
    """What a check cell earns."""

    score: float
    max_points: float
    checks: tuple[CheckResult, ...]


def is_check_cell(cell: Any) -> bool:
    """Whether a cell is one that checks: worth points, and nothing that students write in."""
    marked = cell.metadata.get("nbgrader", {})
    return bool(cell.cell_type == "code" and marked.get("grade") and not marked.get("solution"))


def graded_cells(assignment: LoadedAssignment, report: Report) -> dict[str, Graded]:
    """Return what each check cell of an assignment's notebook earns, by its `grade_id`.

    Args:
        assignment: that the notebook is of.
        report: of an attempt with hidden checks, as students may see it.
    """
    made: dict[str, Graded] = {}
    for task in assignment.spec.tasks:
        for side, hidden, worth in (("public", False, task.points.public), ("hidden", True, task.points.hidden)):
            found = tuple(check for check in report.checks if check.task == task.id and check.hidden is hidden)
            if worth:
                # Never more than the cell is worth: nbgrader stops at a sum that rounding has made larger.
                score = min(sum(check.score for check in found), worth)
                made[f"{of_task(assignment, task)}-{side}"] = Graded(score, worth, found)
    return made


def fill_in(notebook: Any, assignment: LoadedAssignment, report: Report) -> None:
    """Put into each check cell what it has earned, and why.

    Args:
        notebook: as nbformat reads it; changed in place.
        assignment: that it is of.
        report: of an attempt with hidden checks; students see the notebook, so it is redacted here.
    """
    shown = report.redacted()
    earned = graded_cells(assignment, shown)
    for cell in notebook.cells:
        if is_check_cell(cell):
            graded = earned.get(str(cell.metadata["nbgrader"].get("grade_id", "")))
            if graded is None:
                _put(cell, 0.0, (), text("notebook.not_ours"))
            else:
                _put(cell, graded.score, graded.checks, report.message)


def show_cells(notebook: Any, report: Report) -> None:
    """Put under each cell of the student's what it showed when the notebook was run.

    SECURITY: text and pictures only. Whatever a cell would have a browser run or load, its notebook never gets.

    Args:
        notebook: as nbformat reads it; changed in place.
        report: of an attempt that was asked for what cells show.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if len(cells) != len(report.cells):  # nothing was asked for, or nothing could be run
        return
    for cell, parts in zip(cells, report.cells, strict=True):
        if not is_check_cell(cell):
            cell.outputs = [_output_of(part) for part in parts]


def _output_of(part: CellPart) -> Any:
    from nbformat.v4 import new_output

    if part.png:
        return new_output("display_data", {"image/png": part.png, "text/plain": "<Figure>"})
    return new_output("stream", name="stdout", text=part.text)


def nothing_earned(notebook: Any, why: str) -> None:
    """Put into each check cell that it has earned nothing: there is nothing that could be checked."""
    for cell in notebook.cells:
        if is_check_cell(cell):
            _put(cell, 0.0, (), why)


def _put(cell: Any, score: float, checks: tuple[CheckResult, ...], problem: str) -> None:
    """Put a score under a cell. To nbgrader a cell without an output has earned everything, so each gets one."""
    from nbformat.v4 import new_output

    plain = problem or "\n".join(f"{points_text(check)}  {check.title}" for check in checks)
    cell.outputs = [
        new_output("display_data", {"text/html": checks_html(checks, problem), "text/plain": plain}),
        new_output("execute_result", {"text/plain": _number(score)}, execution_count=None),
    ]
    cell.execution_count = None


def _number(score: float) -> str:
    """Return a score in digits that give the same number again, and never as an exponent."""
    said = repr(float(score))
    return said if re.fullmatch(r"[0-9.]+", said) else f"{score:.12f}"
