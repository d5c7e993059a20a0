"""An assignment as a notebook, for JupyterLab and nbgrader: made of its handout, its solution or stub, and its tasks.

    title, handout            markdown, a cell for each section
    imports, constants        code
    for each task             markdown, the cell to write in, one for the public checks, one for the hidden ones

Cells carry nbgrader's metadata, schema 3. A check cell is worth what assignment.yml says, and its `grade_id` is made of
the task's id: nbgrader's gradebook joins by it, so it stays what it is whatever else changes. A cell for hidden checks
holds a comment only: what a notebook does not have can't leak.

The same assignment gives the same bytes: cells' ids come from what they are for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from autograder.assignment import Task
from autograder.course import LoadedAssignment
from autograder.errors import ConfigError
from autograder.messages import LANGUAGES, Language, speaking, text
from autograder.notebook.blocks import Block, blocks
from autograder.notebook.handout import in_notebook
from autograder.stub import make_stub

SCHEMA_VERSION = 3  # of nbgrader's metadata (nbgrader 0.9, nbgraderformat/v3.py)
HANDOUTS: dict[Language, str] = {"en": "README.md", "zh": "README.zh.md"}
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)
_NOT_IN_AN_ID = re.compile(r"[^\w-]+")

Kind = Literal["stub", "solution"]


class NotebookFile(NamedTuple):
    """A notebook that an assignment has."""

    name: str
    solution: str
    """The name of the solution that it is made of."""
    language: Language


def notebook_files(assignment: LoadedAssignment) -> list[NotebookFile]:
    """Return which notebooks an assignment has: one for each framework, in each language that it has a handout in."""
    made: list[NotebookFile] = []
    if not assignment.spec.notebooks:
        return made
    frameworks = assignment.spec.frameworks or ("",)
    for framework, solution in zip(frameworks, assignment.stub_names, strict=True):
        for language in LANGUAGES:
            if not (assignment.folder / HANDOUTS[language]).is_file():
                continue
            stem = "_".join(filter(None, (assignment.id, framework)))
            made.append(NotebookFile(f"{stem}{'' if language == 'en' else f'.{language}'}.ipynb", solution, language))
    return made


def make_notebook(assignment: LoadedAssignment, file: NotebookFile, kind: Kind) -> str:
    """Return a notebook as JSON.

    Args:
        assignment: what it is about.
        file: which of its notebooks.
        kind: with the stub, for students, or with the solution, as nbgrader's `source/` has it.

    Raises:
        ConfigError: the solution is missing, has no regions, or has none for a task that it should have.
    """
    solution = assignment.solutions / file.solution
    if not solution.is_file():
        raise ConfigError(text("validate.no_solution", file=file.solution), file=assignment.solutions)
    written = solution.read_text(encoding="utf-8")
    stub = make_stub(written, solution)  # also says what is wrong with the regions
    with speaking(file.language):
        cells = [*_handout(assignment, file), *_work(assignment, blocks(written if kind == "solution" else stub))]
    return json.dumps(_notebook(assignment, file, cells), ensure_ascii=False, indent=1) + "\n"


def _notebook(assignment: LoadedAssignment, file: NotebookFile, cells: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cells": cells,
        "metadata": {
            # Read by the check cells and by `grade`: which assignment this is, whatever the file is called.
            "autograder": {"assignment": assignment.id, "language": file.language},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _handout(assignment: LoadedAssignment, file: NotebookFile) -> Iterator[dict[str, Any]]:
    handout = assignment.folder / HANDOUTS[file.language]
    title, *sections = _SECTION.split(in_notebook(handout.read_text(encoding="utf-8"), handout))
    yield _markdown(f"{assignment.id}-title", title)
    yield _markdown(f"{assignment.id}-how", text("notebook.how", id=assignment.id))
    for number, section in enumerate(sections, start=1):
        yield _markdown(f"{assignment.id}-handout-{number}", section)


def _work(assignment: LoadedAssignment, found: list[Block]) -> Iterator[dict[str, Any]]:
    """Yield the cells to work in: a task's check cells stand where the last of its solutions is written.

    Of tasks that are written in one cell, the first has its heading above it, and the others above their checks.
    """
    last = {task: block for block in found for task in block.tasks}
    waiting = list(assignment.spec.tasks)
    shown: set[str] = set()
    plain = written = 0
    for block in found:
        if not block.solution:
            plain += 1
            yield _code(f"{assignment.id}-given-{plain}", block.source)
            continue
        written += 1
        begun = [task for task in waiting if task.id in block.tasks and task.id not in shown]
        if begun:
            shown.add(begun[0].id)
            yield _heading(assignment, *begun)
        # Named by its place, not by its tasks: that a method moves to another task renames no cell.
        grade_id = f"{assignment.id}-solution-{written}"
        yield _code(grade_id, block.source, _metadata(grade_id, solution=True))
        for task in [task for task in waiting if last.get(task.id) is block]:
            waiting.remove(task)
            if task.id not in shown:
                yield _heading(assignment, task)
            yield from _checks(assignment, task)
    for task in waiting:  # measured by checks alone: there is nothing to write that another task has not
        if task.id in last:
            continue
        yield _heading(assignment, task)
        yield from _checks(assignment, task)


def _heading(assignment: LoadedAssignment, task: Task, *others: Task) -> dict[str, Any]:
    """Return the heading of a task, which says what others are written in the cell below it."""
    points = f"{task.points.public + task.points.hidden:g}"
    said = text("notebook.task", id=task.id, title=task.title, points=points)
    if others:
        said += "\n\n" + text("notebook.together", tasks=", ".join(other.id for other in others))
    return _markdown(f"{of_task(assignment, task)}-heading", said)


def _checks(assignment: LoadedAssignment, task: Task) -> Iterator[dict[str, Any]]:
    stem = of_task(assignment, task)
    if task.points.public:
        source = f'from autograder.notebook import check\n\ncheck("{assignment.id}", "{task.id}")'
        yield _code(f"{stem}-public", source, _metadata(f"{stem}-public", points=task.points.public))
    if task.points.hidden:
        said = text("notebook.hidden", id=task.id, points=f"{task.points.hidden:g}")
        yield _code(f"{stem}-hidden", f"# {said}", _metadata(f"{stem}-hidden", points=task.points.hidden))


def of_task(assignment: LoadedAssignment, task: Task) -> str:
    """Return what the names of a task's cells begin with; nbgrader's gradebook joins by them."""
    return f"{assignment.id}-task-{_NOT_IN_AN_ID.sub('-', task.id)}"


def _metadata(grade_id: str, *, solution: bool = False, points: float | None = None) -> dict[str, Any]:
    """Return nbgrader's metadata of a cell that students write in, or of one that checks."""
    graded = {} if points is None else {"points": points}
    return {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": points is not None,
        **graded,
        "schema_version": SCHEMA_VERSION,
        "solution": solution,
        "task": False,
    }


def _markdown(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": _cell_id(name), "metadata": {}, "source": _lines(source)}


def _code(name: str, source: str, nbgrader: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": _cell_id(name),
        "metadata": {"nbgrader": nbgrader} if nbgrader else {},
        "outputs": [],
        "source": _lines(source),
    }


def _cell_id(name: str) -> str:
    """Return a cell's id: nbformat allows 64 characters of letters, digits, - and _."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:64]


def _lines(source: str) -> list[str]:
    return source.strip("\n").splitlines(keepends=True)


def notebooks(assignment: LoadedAssignment) -> dict[Path, str]:
    """Return what each of an assignment's notebooks should hold, by its path.

    Raises:
        ConfigError: a solution is missing or has no regions.
    """
    return {
        assignment.folder / file.name: make_notebook(assignment, file, "stub") for file in notebook_files(assignment)
    }
