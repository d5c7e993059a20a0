"""What `grade status` prints: the course at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from autograder.messages import printable, text
from autograder.report.flowing import Flowing
from autograder.report.terminal import stdout_console
from autograder.report.words import shown_points

if TYPE_CHECKING:
    from autograder.ledger.refusals import Refusal
    from autograder.ledger.standing import Standing

_COLUMNS = ("assignment", "due", "handed_in", "late", "graded", "median", "full")
_WORDS = frozenset(["assignment", "due"])
# What is rare, and needs a look: below the table, in words. As columns they would not fit into 80.
_NOTES = {
    "faults": "red", "unclaimed": "yellow", "unreadable": "yellow", "too_late": "", "requests": "yellow", "by_hand": "",
}  # fmt: skip


def standing_document(standing: Sequence[Standing], missed: Sequence[Refusal]) -> list[dict[str, object]]:
    """Return what `--json` prints."""
    return [
        one._asdict() | {"refused": [refused_document(other) for other in missed if other.assignment == one.assignment]}
        for one in standing
    ]


def refused_document(refusal: Refusal) -> dict[str, object]:
    """Return what `--json` prints of something that could not be taken."""
    return refusal._asdict() | {"at": refusal.at.isoformat(timespec="seconds")}


def print_missed(missed: Sequence[Refusal], title: str, console: Console) -> None:
    """Print what could not be taken and is still missed."""
    if not missed:
        return
    console.print(Text(title, style="red"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for one in missed:
        table.add_row(", ".join(one.students), Text(printable(one.name)), Flowing(printable(one.problem), style="dim"))
    console.print(table)


def print_standing(
    standing: Sequence[Standing], missed: Sequence[Refusal] = (), console: Console | None = None
) -> None:
    """Print a line for each assignment, below what needs a look, and what could not be taken.

    Args:
        standing: of the assignments.
        missed: what could not be taken and is still missed.
        console: for tests; stdout otherwise.
    """
    made = console or stdout_console()
    if not standing:
        made.print(text("standing.nothing"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in _COLUMNS:
        justify: JustifyMethod = "left" if column in _WORDS else "right"
        table.add_column(text(f"standing.column.{column}"), justify=justify, no_wrap=True)
    for one in standing:
        table.add_row(*_cells(one))
    made.print(table)
    for one in standing:
        if notes := _notes(one):
            made.print(Text(f"{one.assignment}  ", style="bold").append_text(Text(" · ").join(notes)))
    for assignment in dict.fromkeys(one.assignment for one in missed):
        own = [one for one in missed if one.assignment == assignment]
        print_missed(own, text("archives.still_refused_of", assignment=assignment), made)


def _cells(one: Standing) -> list[Text]:
    settled = one.graded + one.unreadable + one.too_late == one.handed_in
    return [
        Text(one.assignment, style="bold"),
        Text(one.due or "–"),
        Text(f"{one.handed_in}/{one.students}"),
        Text(str(one.late or "–")),
        Text(f"{one.graded}/{one.handed_in}", style="green" if settled else "yellow"),
        Text("–" if one.median is None else f"{shown_points(one.median)}/{shown_points(one.max_points)}"),
        Text(str(one.full)),
    ]


def _notes(one: Standing) -> list[Text]:
    return [
        Text(text(f"standing.note.{name}", count=count), style=f"not bold {style}".strip())
        for name, style in _NOTES.items()
        if (count := getattr(one, name))
    ]
