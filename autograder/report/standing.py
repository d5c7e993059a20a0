"""What `grade status` prints: the course at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from autograder.messages import text
from autograder.report.terminal import stdout_console
from autograder.report.words import shown_points

if TYPE_CHECKING:
    from autograder.ledger.standing import Standing

_COLUMNS = ("assignment", "due", "handed_in", "late", "graded", "median", "full")
_WORDS = frozenset(["assignment", "due"])
# What is rare, and needs a look: below the table, in words. As columns they would not fit into 80.
_NOTES = {
    "faults": "red", "unclaimed": "yellow", "unreadable": "yellow", "refused": "", "requests": "yellow", "by_hand": "",
}  # fmt: skip


def print_standing(standing: Sequence[Standing], console: Console | None = None) -> None:
    """Print a line for each assignment, and below what needs a look."""
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


def _cells(one: Standing) -> list[Text]:
    settled = one.graded + one.unreadable + one.refused == one.handed_in
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
