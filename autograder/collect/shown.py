"""What `grade collect` shows: each thing that needs a look, and how many of each there are."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.messages import printable, text
from autograder.report.flowing import Flowing
from autograder.report.standing import print_missed
from autograder.report.terminal import stdout_console

if TYPE_CHECKING:
    from autograder.collect.collecting import Collected
    from autograder.ledger.models import SubmissionRow
    from autograder.ledger.refusals import Refusal

_STYLES = {
    "new": "green", "again": "cyan", "known": "dim", "unmatched": "yellow", "doubtful": "yellow", "refused": "red",
}  # fmt: skip


@contextmanager
def collecting(*, enabled: bool) -> Iterator[Callable[[Collected], None]]:
    """Show how far it is, on a terminal, while the block runs; give what is to be called for each thing."""
    console = Console(file=sys.stderr, highlight=False)
    if not enabled or not console.is_terminal:
        yield lambda _: None
        return
    count = 0
    with ExitStack() as stack:
        status = console.status("")

        def tell(one: Collected) -> None:
            nonlocal count
            count += 1
            if count == 1:  # not before: a source may ask for a password first
                stack.enter_context(status)
            status.update(Text(text("collect.progress", count=count, name=printable(one.name))))

        yield tell


def as_document(one: Collected) -> dict[str, object]:
    """Return what `--json` prints."""
    return vars(one) | {"received": one.received.isoformat(timespec="seconds") if one.received else None}


def print_collected(
    found: Sequence[Collected],
    waiting: Sequence[SubmissionRow],
    missed: Sequence[Refusal] = (),
    console: Console | None = None,
) -> None:
    """Print what was found.

    Args:
        found: this time.
        waiting: submissions in the ledger that belong to nobody yet.
        missed: what could not be taken, this time or before, and is still missed.
        console: for tests; stdout otherwise.
    """
    made = console or stdout_console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    # What needs a look stands at the end, where it is still on the screen.
    order = list(_STYLES)
    for one in sorted(found, key=lambda one: order.index(one.outcome)):
        if one.outcome != "known":
            table.add_row(*_cells(one))
    if table.row_count:
        made.print(table)
    counts: Counter[str] = Counter(one.outcome for one in found)
    parts = [f"{text(f'collect.outcome.{name}')} {counts[name]}" for name in _STYLES if counts[name]]
    if late := sum(one.days_late > 0 and one.outcome != "known" for one in found):
        parts.append(text("collect.late", count=late))
    made.print(Text(" · ".join(parts) if parts else text("collect.found_nothing"), style="bold"))
    if waiting:
        numbers = ", ".join(f"#{row.id}" for row in waiting)
        made.print(Text(text("collect.waiting", numbers=numbers), style="yellow"))
    just_told = {one.name for one in found if one.outcome == "refused"}
    print_missed([one for one in missed if one.name not in just_told], text("archives.still_refused"), made)


def print_otherwise(numbers: Sequence[int], received: datetime, console: Console | None = None) -> None:
    """Print which known submissions keep another time than was said, and what changes it.

    Args:
        numbers: of the submissions, the lowest first.
        received: when they came, as was said.
        console: for tests; stdout otherwise.
    """
    moment = received.isoformat(timespec="seconds" if received.second else "minutes")
    said = text("collect.otherwise", numbers=_in_short(numbers), moment=moment)
    (console or stdout_console()).print(Text(said, style="yellow"), soft_wrap=True)


def _in_short(numbers: Sequence[int]) -> str:
    """Return 1-3,7 of 1, 2, 3 and 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _cells(one: Collected) -> list[Text]:
    outcome = Text(text(f"collect.outcome.{one.outcome}"), style=_STYLES[one.outcome])
    if one.problem:
        rest = one.problem
    elif one.candidates:
        rest = text("collect.candidates", ids=", ".join(one.candidates))
    elif one.students:
        rest = text(f"collect.how.{one.how}", ids=", ".join(one.students))
    else:
        rest = ""
    number = f"#{one.number}" if one.number else ""
    told = Flowing(printable(" · ".join(part for part in (rest, *one.notes) if part)), style="dim")
    if one.days_late:
        told.append(f" · {text('collect.days_late', days=one.days_late)}", style="not dim yellow")
    return [outcome, Text(number, style="dim"), Text(printable(one.name)), told]
