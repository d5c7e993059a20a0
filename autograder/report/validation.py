"""What `grade validate` shows: a progress bar while it runs, a table at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autograder.messages import text
from autograder.results import Outcome, Validation

_PIPED_WIDTH = 140


@contextmanager
def progress_bar(*, enabled: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar on stderr while the block runs, on a terminal only; gives the function that moves it."""
    if not enabled or not sys.stderr.isatty():
        yield lambda _done, _total, _what: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task(text("progress.validating"), total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def print_validation(validation: Validation, console: Console | None = None) -> None:
    """Print the table of all attempts, then the summary."""
    made = console or Console(file=sys.stdout, highlight=False)
    if not made.is_terminal and console is None:
        made = Console(file=sys.stdout, highlight=False, width=_PIPED_WIDTH)
    table = Table(box=None, pad_edge=False)
    for column in ("assignment", "what", "score", "seconds", "verdict"):
        numeric = column in {"score", "seconds"}
        table.add_column(text(f"validate.column.{column}"), justify="right" if numeric else "left", no_wrap=numeric)
    for outcome in validation.outcomes:
        table.add_row(*_row(outcome))
    made.print(table)
    summary = text(
        "validate.summary",
        count=len(validation.outcomes), problems=validation.problems, seconds=f"{validation.duration_s:.0f}",
    )  # fmt: skip
    made.print(Text(summary, style="bold red" if validation.problems else "bold green"))


def _row(outcome: Outcome) -> list[Text]:
    verdict = Text("\n".join(outcome.problems), "red") if outcome.problems else Text(text("validate.ok"), "green")
    score = f"{outcome.score:g}/{outcome.max_points:g}" if outcome.max_points else ""
    return [Text(outcome.assignment), Text(outcome.title), Text(score), Text(f"{outcome.duration_s:.1f}"), verdict]
