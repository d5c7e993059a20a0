"""What `grade receipts` shows: each receipt that was sent, waits or failed, and how many of each there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.collect.post import Posted
from autograder.messages import printable, text
from autograder.report.terminal import stdout_console

_STYLES = {"sent": "green", "would": "cyan", "waits": "yellow", "no_address": "yellow", "failed": "red"}


def as_document(one: Posted) -> dict[str, object]:
    """Return what `--json` prints."""
    receipt = one.receipt
    return {
        "outcome": one.outcome,
        "submission": receipt.submission,
        "student": receipt.student,
        "address": receipt.address,
        "received": receipt.received.isoformat(timespec="seconds"),
        "days_late": receipt.days_late,
        "sha256": receipt.sha256,
        "problem": one.problem,
    }


def print_posted(posted: Sequence[Posted], console: Console | None = None) -> None:
    """Print what became of receipts.

    Args:
        posted: this time.
        console: for tests; stdout otherwise.
    """
    made = console or stdout_console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    # What needs a look stands at the end; of those that wait it is enough to know how many they are.
    order = list(_STYLES)
    for one in sorted(posted, key=lambda one: order.index(one.outcome)):
        if one.outcome != "waits":
            table.add_row(*_cells(one))
    if table.row_count:
        made.print(table)
    counts: Counter[str] = Counter(one.outcome for one in posted)
    parts = [f"{text(f'receipt.outcome.{name}')} {counts[name]}" for name in _STYLES if counts[name]]
    made.print(Text(" · ".join(parts) if parts else text("receipt.none_due"), style="bold"))
    if why := next((one.problem for one in posted if one.outcome == "waits"), ""):
        made.print(Text(text("receipt.waiting", why=printable(why)), style="yellow"))


def exit_code(posted: Sequence[Posted]) -> int:
    """Return 1 where a receipt was refused, else 0."""
    return int(any(one.outcome == "failed" for one in posted))


def _cells(one: Posted) -> list[Text]:
    receipt = one.receipt
    return [
        Text(text(f"receipt.outcome.{one.outcome}"), style=_STYLES[one.outcome]),
        Text(f"#{receipt.submission}", style="dim"),
        Text(printable(f"{receipt.student} {receipt.name}")),
        Text(printable(one.problem or receipt.address), style="dim"),
    ]
