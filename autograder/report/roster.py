"""What `grade roster` and `grade ledger log` print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.messages import text
from autograder.report.flowing import Flowing
from autograder.report.terminal import stdout_console
from autograder.roster import Change

if TYPE_CHECKING:
    from autograder.ledger.history import Entry
    from autograder.ledger.people import StudentRow

_STYLES = {
    "added": "green", "left": "red", "back": "green", "changed": "yellow", "alias": "dim", "extension": "cyan",
    "group": "cyan",
}  # fmt: skip
_STUDENT_COLUMNS = ("id", "name", "section", "groups", "email", "pseudonym")
_MORE_THAN_A_FEW = 3  # that left: it may be one section's roster


def print_changes(changes: Sequence[Change], students: int, console: Console | None = None) -> None:
    """Print what a roster would change, a line each, and how many of each kind.

    Args:
        changes: what.
        students: how many take the course until now.
        console: for tests; stdout otherwise.
    """
    made = console or stdout_console()
    if not changes:
        made.print(text("roster.no_change"))
        return
    table = _table()
    for change in changes:
        was = f"{change.before} → {change.after}" if change.before else change.after
        kind = Text(text(f"roster.kind.{change.kind}"), style=_STYLES[change.kind])
        table.add_row(kind, Text(change.id), Text(change.name), Text(was, style="dim"))
    made.print(table)
    counts = Counter(change.kind for change in changes)
    made.print(" · ".join(f"{text(f'roster.kind.{kind}')} {count}" for kind, count in counts.items()))
    if counts["left"] > _MORE_THAN_A_FEW:
        made.print(Text(text("roster.would_leave", count=counts["left"], all=students), style="yellow"))


def print_students(students: Sequence[StudentRow], console: Console | None = None) -> None:
    """Print the students."""
    made = console or stdout_console()
    if not students:
        made.print(text("roster.nobody"))
        return
    table = _table()
    columns = [column for column in _STUDENT_COLUMNS if any(getattr(one, column) for one in students)]
    for column in columns:
        table.add_column(text(f"roster.column.{column}"), overflow="fold")
    table.show_header = True
    for student in students:
        style = "dim strike" if student.left else ""
        table.add_row(*(Text(getattr(student, column), style=style) for column in columns))
    made.print(table)
    here = sum(not student.left for student in students)
    made.print(text("roster.count", count=here, left=len(students) - here))


def print_log(log: Sequence[Entry], console: Console | None = None) -> None:
    """Print what happened to a student's work, the oldest first."""
    made = console or stdout_console()
    if not log:
        made.print(text("ledger.log.empty"))
        return
    table = _table()
    for entry in log:
        when = Text(f"{entry.at:%Y-%m-%d %H:%M}", style="dim")
        table.add_row(when, Text(entry.assignment, style="bold"), Flowing(entry.said), Text(entry.who, style="dim"))
    made.print(table)


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, header_style="dim")
