"""What `grade validate` shows: a progress bar while it runs, a table at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autograder.messages import text
from autograder.report.flowing import Flowing
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
        justify: Literal["left", "right"] = "right" if numeric else "left"
        # Folded: rich would cut off what has no blank to break the line at.
        table.add_column(text(f"validate.column.{column}"), justify=justify, no_wrap=numeric, overflow="fold")
    for outcome, said in zip(validation.outcomes, _told_once(validation.outcomes), strict=True):
        table.add_row(*_row(outcome, said))
    made.print(table)
    summary = text(
        "validate.summary",
        count=len(validation.outcomes), problems=validation.problems, seconds=f"{validation.duration_s:.0f}",
    )  # fmt: skip
    made.print(Text(summary, style="bold red" if validation.problems else "bold green"))


def _told_once(outcomes: Sequence[Outcome]) -> Iterator[list[str]]:
    """Yield what is said of each outcome: a problem that several have, a broken check's, the first time only."""
    counts = Counter((outcome.assignment, problem) for outcome in outcomes for problem in outcome.problems)
    told: set[tuple[str, str]] = set()
    for outcome in outcomes:
        said: list[str] = []
        for problem in outcome.problems:
            key = (outcome.assignment, problem)
            if key not in told:
                count = counts[key]
                said.append(problem if count == 1 else text("validate.several", problem=problem, count=count))
            told.add(key)
        yield said if said or not outcome.problems else [text("validate.as_above")]


def _row(outcome: Outcome, said: list[str]) -> list[Text]:
    verdict = Flowing("\n".join(said), "red") if said else Text(text("validate.ok"), "green")
    score = f"{outcome.score:g}/{outcome.max_points:g}" if outcome.max_points else ""
    return [Text(outcome.assignment), Text(outcome.title), Text(score), Text(f"{outcome.duration_s:.1f}"), verdict]
