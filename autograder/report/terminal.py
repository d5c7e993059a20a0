"""The report in a terminal: one line a check, under a failed one what was expected, what came, what to try."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.messages import printable, text
from autograder.report.flowing import Flowing
from autograder.report.words import (
    NAMED,
    mark_of,
    metric_text,
    noted,
    points_text,
    repeating,
    shown_points,
    status_text,
    where_text,
)
from autograder.results import CheckResult, Report, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = 100  # columns at most: longer lines are hard to read on a wide terminal
_TAIL_LINES = 8  # of the student's output under a failed check; all that was kept with --verbose

_STYLES = {Status.PASSED: "green", Status.PARTIAL: "yellow", Status.SKIPPED: "dim"}


def exit_code(report: Report) -> int:
    """Return what `grade check` ends with: 0 where every check passed in full, 3 where any is internal, else 1."""
    if any(check.status is Status.INTERNAL for check in report.checks):
        return 3
    return 0 if all(check.status is Status.PASSED for check in report.checks) else 1


def print_report(report: Report, *, verbose: bool = False, console: Console | None = None) -> None:
    """Print a report.

    Args:
        report: to be printed.
        verbose: with library frames, all output that was kept, and the environment.
        console: for tests; stdout otherwise.
    """
    made = console or stdout_console()
    made.print(Group(*_parts(report, made.encoding or "utf-8", verbose=verbose)))


class _Piped(Console):
    """A console for a file or a pipe: no line ends with the spaces that fill a table's last column."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print."""
        with self.capture() as printed:
            super().print(*objects, **options)
        self.file.write("".join(f"{line.rstrip(' ')}\n" for line in printed.get().split("\n")[:-1]))


def stdout_console(widest: int = _WIDTH) -> Console:
    """Return a console for stdout, as wide as is good to read; a pipe gets no colours."""
    # Not rich's guess: it takes FORCE_COLOR, which CI services set, for a terminal. Piped, it would wrap at 80 columns.
    is_terminal = sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, widest) if is_terminal else widest
    made = Console if is_terminal else _Piped
    return made(file=sys.stdout, highlight=False, force_terminal=is_terminal, width=width)


def _parts(report: Report, encoding: str, *, verbose: bool) -> Iterator[RenderableType]:
    yield _head(report, verbose=verbose)
    if report.device_problem:
        yield _safe(text("report.device_problem", problem=report.device_problem), "yellow")
    if report.message:
        yield from _nothing_ran(report)
    else:
        brief = frozenset() if verbose else repeating(report.checks)
        for task in dict.fromkeys(check.task for check in report.checks):
            of_task = [check for check in report.checks if check.task == task]
            yield from _task(of_task, encoding, brief, verbose=verbose)
    yield ""
    yield _score(report)
    if report.hidden_points_not_run:
        yield Text(text("report.hidden_not_run", points=shown_points(report.hidden_points_not_run)), style="dim")
    for note in report.notes:
        yield _safe(noted(note), "dim")
    if verbose:
        yield from _environment(report)


def _head(report: Report, *, verbose: bool) -> Text:
    line = Text()
    line.append(report.assignment, style="bold")
    line.append_text(_safe(f"  {report.submission}  "))
    line.append_text(_safe(where_text(report, verbose=verbose), "dim"))
    if report.isolation_missing:
        said = text(
            "report.isolation_missing_why" if verbose else "report.isolation_missing", why=report.isolation_missing
        )
        line.append_text(_safe(f"\n{said}", "dim"))
    return line


def _nothing_ran(report: Report) -> Iterator[RenderableType]:
    """One failure kept every check from running: say it once."""
    check = report.checks[0]
    yield ""
    yield _safe(report.message, "red")
    yield from _details(check, skip_message=True)


def _task(
    checks: Sequence[CheckResult], encoding: str, brief: frozenset[str], *, verbose: bool
) -> Iterator[RenderableType]:
    yield ""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        style = _STYLES.get(check.status, "red")
        mark = mark_of(check.status, encoding)
        points = points_text(check)
        title = Flowing(check.title)
        if check.hidden:
            title.append(f"  {text('report.hidden')}", style="dim")
        if not check.max_points:
            title.append(f"  {text('report.needed')}", style="dim")
        if check.status in NAMED:
            title.append(f"  {text(f'status.{check.status.value}')}", style=style)
        below = _below(check, brief=check.id in brief, verbose=verbose)
        table.add_row(Text(mark, style=style), Text(points, style=style), Group(title, *below))
    yield Text(text("report.task", task=checks[0].task), style="bold")
    yield table


def _below(check: CheckResult, *, brief: bool, verbose: bool) -> Iterator[RenderableType]:
    for name, metric in check.metrics.items():
        yield Text(metric_text(name, metric), style="dim" if check.status is Status.PASSED else "")
    if check.status is not Status.PASSED:
        yield from _details(check, brief=brief)
    if check.status not in {Status.PASSED, Status.PARTIAL}:
        yield from _output(check, verbose=verbose)
    if verbose and check.staff_note and check.status is not Status.PASSED:
        yield _safe(check.staff_note, "dim")


def _details(check: CheckResult, *, skip_message: bool = False, brief: bool = False) -> Iterator[RenderableType]:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    if check.expected:
        rows.add_row(text("report.expected"), _safe(check.expected))
        rows.add_row(text("report.came"), _safe(check.came))
    elif check.message and not skip_message:
        yield _safe(check.message)
    yield from (_safe(frame, "cyan") for frame in (() if brief else check.frames))
    if check.hint and not brief:
        rows.add_row(text("report.try"), _safe(check.hint))
    if rows.row_count:
        yield rows


def _output(check: CheckResult, *, verbose: bool) -> Iterator[RenderableType]:
    lines = check.stdout_tail.rstrip().splitlines()
    if not lines:
        return
    kept = lines if verbose else lines[-_TAIL_LINES:]
    yield Text(text("report.output", shown=len(kept)), style="dim")
    # A line of the terminal each: eight long ones that a loop has printed would push the report off the screen.
    fitted = {"no_wrap": not verbose, "overflow": "fold" if verbose else "ellipsis"}
    yield from (Padding(_safe(line, "dim", **fitted), (0, 0, 0, 2)) for line in kept)


def _safe(said: str, style: str = "", **layout: Any) -> Text:
    """Return a text that may be the student's, without control characters: those could repaint the terminal."""
    return Flowing(printable(said), style=style, **layout)


def _score(report: Report) -> Text:
    style = "green" if report.status is Status.PASSED else "yellow" if report.score else "red"
    line = Text(
        text("report.score", score=shown_points(report.score), most=shown_points(report.max_points)),
        style=f"bold {style}",
    )
    line.append(f"  {status_text(report)}  ", style=style)
    line.append(text("report.duration", seconds=f"{report.duration_s:.1f}"), style="dim")
    return line


def _environment(report: Report) -> Iterator[RenderableType]:
    environment = report.environment
    yield ""
    yield _safe(
        text("report.environment", python=environment.python, numpy=environment.numpy, platform=environment.platform,
             threads=environment.threads, seeds=", ".join(map(str, report.seeds)),
             checks=report.checks_sha256[:12], submission=report.submission_sha256[:12]),
        style="dim",
    )  # fmt: skip
