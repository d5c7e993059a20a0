"""The table of `grade list`."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.history import Attempt
from autograder.messages import text
from autograder.overview import Overview, Row
from autograder.report.terminal import stdout_console
from autograder.report.words import shown_points

_NOTHING = "–"
_COLUMNS = ("id", "title", "due", "points", "best", "latest")
_NUMERIC = frozenset(["points", "best", "latest"])


def print_overview(overview: Overview, *, now: datetime | None = None, console: Console | None = None) -> None:
    """Print the table of a course's assignments.

    Args:
        overview: to be printed.
        now: for tests; the clock's time otherwise.
        console: for tests; stdout otherwise.
    """
    made = console or stdout_console()
    made.print(Text(str(overview.title), style="bold"))
    if not overview.assignments:
        made.print(text("list.none"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in _COLUMNS:
        # Only the title gives way where the terminal is narrow.
        table.add_column(
            text(f"list.column.{column}"),
            justify="right" if column in _NUMERIC else "left",
            no_wrap=column != "title",
            overflow="fold",
        )
    moment = now or datetime.now(UTC)
    for row in overview.assignments:
        table.add_row(*_cells(row, moment))
    made.print(table)
    notes = [text("list.zone", zone=overview.timezone)] if any(row.due for row in overview.assignments) else []
    notes += [text("list.public_only")] if any(row.best for row in overview.assignments) else []
    for note in notes:
        made.print(Text(note, style="dim"))


def _cells(row: Row, now: datetime) -> list[Text]:
    title = Text(str(row.title)) if row.title else Text(text("list.not_here"), style="dim")
    points = shown_points(row.points) if row.points is not None else _NOTHING
    return [Text(row.id, style="bold"), title, _due(row.due, now), Text(points), _score(row.best), _score(row.latest)]


def _due(due: datetime | None, now: datetime) -> Text:
    if due is None:
        return Text(_NOTHING)
    past = due < now
    line = Text(f"{due:%Y-%m-%d %H:%M}\n")
    return line.append(from_now(due, now), style="dim" if past else "cyan")


def _score(attempt: Attempt | None) -> Text:
    if attempt is None:
        return Text(_NOTHING)
    style = "green" if attempt.score >= attempt.max_points else "yellow" if attempt.score else "red"
    return Text(f"{shown_points(attempt.score)}/{shown_points(attempt.max_points)}", style=style)


def from_now(due: datetime, now: datetime) -> str:
    """Return how far off a due date is, in words: in minutes, hours, then in days of the due date's calendar."""
    # In UTC: between two times of one zone Python counts what a clock on the wall shows, also over a change of clocks.
    seconds = (due.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
    past = seconds < 0
    minutes = int(abs(seconds) // 60)
    days = abs((due.date() - now.astimezone(due.tzinfo).date()).days)
    if minutes < 60:  # noqa: PLR2004 - an hour's
        return _words("minute", max(minutes, 1), past=past)
    if minutes < 24 * 60:
        return _words("hour", minutes // 60, past=past)
    return _words("day", max(days, 1), past=past)  # the day of 25 hours is one day long


def _words(unit: str, count: int, *, past: bool) -> str:
    number = "one" if count == 1 else "many"
    return text(f"list.{'ago' if past else 'in'}.{unit}.{number}", count=count)
