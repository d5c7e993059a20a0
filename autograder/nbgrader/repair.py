"""A student's notebook made one that nbgrader can grade: what is damaged is repaired as far as it can be.

nbgrader stops a whole class at a copied cell. What a notebook should hold is known: the cells that it was released
with. Their metadata is put back, copies lose theirs, missing check cells are added; what the student wrote stays as it
is, in the order that it has. Nothing is executed here, and no file is read.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from autograder.messages import text
from autograder.nbgrader.damaged import IDS_SINCE_MINOR, Unreadable, plain_cells, read_notebook, text_of
from autograder.notebook.generate import SCHEMA_VERSION
from autograder.notebook.graded import UNREADABLE
from autograder.submission import MAX_FILE_BYTES

# SECURITY: of a student's making, and read whole; JSON takes several times as much memory as its text.
MAX_NOTEBOOK_BYTES = 256 << 20
_MOST_NAMED = 5  # cells in one line
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # as nbformat allows them
_COMPARED = ("grade", "grade_id", "locked", "points", "schema_version", "solution", "task")


class ReleasedCell(NamedTuple):
    """A cell that nbgrader knows, as it was released."""

    grade_id: str
    cell_type: str
    source: str
    grade: bool
    solution: bool
    locked: bool
    task: bool = False
    points: float | None = None
    checksum: str | None = None

    def metadata(self) -> dict[str, Any]:
        """Return nbgrader's metadata of it."""
        given = {"points": self.points, "checksum": self.checksum}
        return {
            "cell_type": self.cell_type,
            "grade": self.grade,
            "grade_id": self.grade_id,
            "locked": self.locked,
            "schema_version": SCHEMA_VERSION,
            "solution": self.solution,
            "task": self.task,
            **{name: value for name, value in given.items() if value is not None},
        }


class Repaired(NamedTuple):
    """A notebook, and what was done to it."""

    notebook: dict[str, Any] | None
    """None: it is in order as it is."""
    said: tuple[str, ...] = ()
    """What was repaired, a sentence each."""
    problem: str = ""
    """Why there is nothing to be graded; the notebook then is as it was released."""


def repair(content: bytes, released: Sequence[ReleasedCell]) -> Repaired:
    """Return a student's notebook in order.

    Args:
        content: of the file.
        released: the cells that nbgrader knows, in their order.
    """
    said: list[str] = []
    try:
        before = read_notebook(content, said)
        notebook = copy.deepcopy(before)
        cells = plain_cells(notebook, said)
    except Unreadable as problem:
        return nothing_in_it(released, str(problem))
    except RecursionError:
        return nothing_in_it(released, text("nbgrader.repair.not_a_notebook"))
    notebook["cells"] = _put_in_order(cells, released, said)
    if len(content) > MAX_FILE_BYTES:
        said.append(text("nbgrader.repair.large", size=len(content) >> 20))
        _empty_outputs(notebook["cells"])
    _give_ids(notebook)
    if notebook == before and not said:
        return Repaired(None)
    return Repaired(with_note(notebook, said) if said else notebook, tuple(said))


def nothing_in_it(released: Sequence[ReleasedCell], problem: str) -> Repaired:
    """Return the notebook of a student who has none that can be read: as it was released, and it says so."""
    cells = [_made_of(cell) for cell in released]
    notebook = {
        "cells": cells,
        "metadata": {"autograder": {UNREADABLE: problem}},
        "nbformat": 4,
        "nbformat_minor": IDS_SINCE_MINOR,
    }
    _give_ids(notebook)
    return Repaired(with_note(notebook, [problem]), (), problem)


def with_note(notebook: dict[str, Any], said: Iterable[str]) -> dict[str, Any]:
    """Return a notebook that tells, at its top, what was done to it: its student and its graders read it."""
    lines = [text("nbgrader.repair.note"), "", *(f"- {_as_prose(one)}" for one in said)]
    cell = {"cell_type": "markdown", "metadata": {}, "source": "\n".join(lines)}
    noted = {**notebook, "cells": [cell, *notebook["cells"]]}
    _give_ids(noted)
    return noted


def _as_prose(said: str) -> str:
    """Return words that may hold a file's or a cell's name as text that markdown makes nothing of."""
    return re.sub(r"([\\`*_{}\[\]<>()#!|$&~])", r"\\\1", said)


# --- cells ------------------------------------------------------------------------------------------------------------


def _empty_outputs(cells: Iterable[dict[str, Any]]) -> None:
    """Outputs and pasted pictures are what makes a notebook large; neither is graded."""
    for cell in cells:
        if "outputs" in cell:
            cell["outputs"] = []
        cell.pop("attachments", None)
        cell["metadata"] = {name: value for name, value in cell["metadata"].items() if name == "nbgrader"}


def _give_ids(notebook: dict[str, Any]) -> None:
    """Give each cell an id of its own where the format has them, and none where it has none."""
    has_ids = notebook["nbformat_minor"] >= IDS_SINCE_MINOR
    taken: set[str] = set()
    for number, cell in enumerate(notebook["cells"], start=1):
        known = cell.get("id")
        if not has_ids:
            cell.pop("id", None)
        elif not isinstance(known, str) or not _CELL_ID.fullmatch(known) or known in taken:
            cell["id"] = next(name for name in _names(f"cell-{number}") if name not in taken)
        if has_ids:
            taken.add(cell["id"])


def _names(first: str) -> Iterable[str]:
    yield first
    number = 2
    while True:
        yield f"{first}-{number}"
        number += 1


# --- nbgrader's cells -------------------------------------------------------------------------------------------------


def _put_in_order(
    cells: list[dict[str, Any]], released: Sequence[ReleasedCell], said: list[str]
) -> list[dict[str, Any]]:
    """Return the cells with nbgrader's metadata as it was released: on one cell each, and on no other."""
    known = {cell.grade_id: cell for cell in released}
    owner, copied = _owners(cells, known)
    lost = _recognise(cells, owner, [cell for cell in released if cell.grade_id not in owner])
    damaged, converted = [], []
    for name, cell in owner.items():
        there = cell["metadata"].get("nbgrader")
        damaged += [name] if name not in lost and _differs(there, known[name]) else []
        if cell["cell_type"] != known[name].cell_type:
            converted.append(name)
            _convert(cell, known[name].cell_type)
        if _differs(there, known[name]):
            cell["metadata"]["nbgrader"] = known[name].metadata()
    owned = set(map(id, owner.values()))
    for cell in cells:
        if id(cell) not in owned:
            cell["metadata"].pop("nbgrader", None)
    missing = [cell for cell in released if cell.grade_id not in owner and (cell.grade or cell.task)]
    for key, names in (
        ("nbgrader.repair.copied", copied),
        ("nbgrader.repair.lost", lost),
        ("nbgrader.repair.metadata", damaged),
        ("nbgrader.repair.converted", converted),
        ("nbgrader.repair.missing", [cell.grade_id for cell in missing]),
    ):
        if names:
            said.append(text(key, cells=_named(names)))
    return _with_missing(cells, released, owner, missing)


def _owners(
    cells: Iterable[dict[str, Any]], known: dict[str, ReleasedCell]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return which cell is which of the released ones, and the names that several cells have.

    The last one of several, as nbgrader takes it. All of them run, in order: what the last one defines counts.
    """
    owner: dict[str, dict[str, Any]] = {}
    copied: dict[str, None] = {}
    for cell in cells:
        marked = cell["metadata"].get("nbgrader")
        name = marked.get("grade_id") if isinstance(marked, dict) else None
        if not isinstance(name, str) or name not in known:
            continue
        if name in owner:
            copied[name] = None
        owner[name] = cell
    return owner, list(copied)


def _recognise(
    cells: Sequence[dict[str, Any]], owner: dict[str, dict[str, Any]], missing: Sequence[ReleasedCell]
) -> list[str]:
    """Find cells whose metadata is gone, by their id or by what they say; return the names that were found."""
    found: list[str] = []
    owned = set(map(id, owner.values()))
    free = [cell for cell in cells if id(cell) not in owned]
    for released in missing:
        same = [cell for cell in free if cell.get("id") == _cell_id(released.grade_id)]
        if not same and released.source.strip():
            same = [cell for cell in free if (text_of(cell) or "").strip() == released.source.strip()]
        if same:
            owner[released.grade_id] = same[-1]
            free = [cell for cell in free if cell is not same[-1]]
            found.append(released.grade_id)
    return found


def _differs(marked: Any, released: ReleasedCell) -> bool:
    if not isinstance(marked, dict):
        return True
    wanted = released.metadata()
    return any(marked.get(name) != wanted.get(name) for name in _COMPARED if name != "task" or name in marked)


def _convert(cell: dict[str, Any], cell_type: str) -> None:
    cell["cell_type"] = cell_type
    if cell_type == "code":
        cell["outputs"], cell["execution_count"] = [], None
        cell.pop("attachments", None)
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def _with_missing(
    cells: list[dict[str, Any]],
    released: Sequence[ReleasedCell],
    owner: dict[str, dict[str, Any]],
    missing: Sequence[ReleasedCell],
) -> list[dict[str, Any]]:
    """Return the cells with those that are missing, each behind the one that it was released behind."""
    made = list(cells)
    before: dict[str, Any] | None = None
    for cell in released:
        if cell in missing:
            new = _made_of(cell)
            at = len(made) if before is None else next(at for at, one in enumerate(made, 1) if one is before)
            made.insert(at, new)
            before = new
        else:
            before = owner.get(cell.grade_id, before)
    return made


def _made_of(released: ReleasedCell) -> dict[str, Any]:
    code: dict[str, Any] = {"outputs": [], "execution_count": None} if released.cell_type == "code" else {}
    return {
        "cell_type": released.cell_type,
        "id": _cell_id(released.grade_id),
        "metadata": {"nbgrader": released.metadata()},
        "source": released.source,
        **code,
    }


def _cell_id(grade_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", grade_id)[:64]


def _named(names: Sequence[str]) -> str:
    more = "" if len(names) <= _MOST_NAMED else " …"
    return ", ".join(names[:_MOST_NAMED]) + more
