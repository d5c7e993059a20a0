"""The report in a terminal: one line a check, under a failed one what was expected, what came, what to try."""

from __future__ import annotations

import math
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
from autograder.results import CheckResult, MetricResult, Note, Report, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = 100  # columns at most: longer lines are hard to read on a wide terminal
_TAIL_LINES = 8  # of the student's output under a failed check; all that was kept with --verbose

_STYLES = {Status.PASSED: "green", Status.PARTIAL: "yellow", Status.SKIPPED: "dim"}
# The first that the console's encoding has: GBK knows √ and ×, but not ✓ and ✗.
_MARKS = {Status.PASSED: "✓√+", Status.PARTIAL: "◐◇~", Status.SKIPPED: "–-"}
_FAILED_MARKS = "✗×x"
# Said beside the check's sentence; what the others are is plain from the mark, or said below it.
_NAMED = frozenset(Status) - {Status.PASSED, Status.PARTIAL, Status.FAILED, Status.SKIPPED, Status.INTERNAL}


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
        for task in dict.fromkeys(check.task for check in report.checks):
            yield from _task([check for check in report.checks if check.task == task], encoding, verbose=verbose)
    yield ""
    yield _score(report)
    if report.hidden_points_not_run:
        yield Text(text("report.hidden_not_run", points=shown_points(report.hidden_points_not_run)), style="dim")
    for note in report.notes:
        yield _safe(_noted(note), "dim")
    if verbose:
        yield from _environment(report)


def device_text(kind: str, name: str, memory_bytes: int) -> str:
    """Return a device as people know it: "cuda: NVIDIA H100, 80 GB"."""
    # In units of 1024: a card sold with 24 GB has 24 of these.
    gigabytes = memory_bytes / (1 << 30)
    memory = f"{gigabytes:.0f} GB" if gigabytes >= 1 else f"{gigabytes:.1f} GB" if memory_bytes else ""
    said = ", ".join(part for part in (name, memory) if part)
    return f"{kind}: {said}" if said else kind


def _head(report: Report, *, verbose: bool) -> Text:
    environment = report.environment
    parts = [f"{report.framework} {report.framework_version or ''}".strip()] if report.framework else []
    if environment.python_path or not parts:
        where = f" ({environment.python_path})" if verbose and environment.python_path else ""
        parts.append(f"python {environment.python}{where}")
    framework = ", ".join(parts)
    device = device_text(report.device, report.device_name, report.device_memory)
    line = Text()
    line.append(report.assignment, style="bold")
    line.append_text(_safe(f"  {report.submission}  "))
    where = text("report.where", framework=framework, device=device, isolation=report.isolation)
    if report.data == "full":
        where += f" · {text('report.full_data')}"
    line.append_text(_safe(where, "dim"))
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


def _task(checks: Sequence[CheckResult], encoding: str, *, verbose: bool) -> Iterator[RenderableType]:
    yield ""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        style = _STYLES.get(check.status, "red")
        mark = _mark(check.status, encoding)
        points = f"{shown_points(check.score)}/{shown_points(check.max_points)}" if check.max_points else ""
        title = Flowing(check.title)
        if check.hidden:
            title.append(f"  {text('report.hidden')}", style="dim")
        if not check.max_points:
            title.append(f"  {text('report.needed')}", style="dim")
        if check.status in _NAMED:
            title.append(f"  {text(f'status.{check.status.value}')}", style=style)
        table.add_row(Text(mark, style=style), Text(points, style=style), Group(title, *_below(check, verbose=verbose)))
    yield Text(text("report.task", task=checks[0].task), style="bold")
    yield table


def _below(check: CheckResult, *, verbose: bool) -> Iterator[RenderableType]:
    for name, metric in check.metrics.items():
        yield Text(_metric(name, metric), style="dim" if check.status is Status.PASSED else "")
    if check.status is not Status.PASSED:
        yield from _details(check)
    if check.status not in {Status.PASSED, Status.PARTIAL}:
        yield from _output(check, verbose=verbose)
    if verbose and check.staff_note and check.status is not Status.PASSED:
        yield _safe(check.staff_note, "dim")


def _details(check: CheckResult, *, skip_message: bool = False) -> Iterator[RenderableType]:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    if check.expected:
        rows.add_row(text("report.expected"), _safe(check.expected))
        rows.add_row(text("report.came"), _safe(check.came))
    elif check.message and not skip_message:
        yield _safe(check.message)
    yield from (_safe(frame, "cyan") for frame in check.frames)
    if check.hint:
        rows.add_row(text("report.try"), _safe(check.hint))
    if rows.row_count:
        yield rows


def _output(check: CheckResult, *, verbose: bool) -> Iterator[RenderableType]:
    lines = check.stdout_tail.rstrip().splitlines()
    if not lines:
        return
    kept = lines if verbose else lines[-_TAIL_LINES:]
    yield Text(text("report.output", shown=len(kept)), style="dim")
    yield Padding(_safe("\n".join(kept), "dim"), (0, 0, 0, 2))


def _safe(said: str, style: str = "") -> Text:
    """Return a text that may be the student's, without control characters: those could repaint the terminal."""
    return Flowing(printable(said), style=style)


def _metric(name: str, metric: MetricResult) -> str:
    value = _value(metric)
    if len(metric.values) > 1:
        value = text("report.median", value=value, values=", ".join(f"{one:.3g}" for one in metric.values))
    if metric.full is None or metric.zero is None:
        return text("report.metric_plain", name=name, value=value)
    key = "report.metric_lower" if metric.better == "lower" else "report.metric_higher"
    return text(key, name=name, value=value, full=f"{metric.full:g}", zero=f"{metric.zero:g}")


def _value(metric: MetricResult) -> str:
    """Return the value in three digits, or in as many as tell it from a threshold that it is not."""
    thresholds = {metric.full, metric.zero} - {None, metric.value}
    shown = (f"{metric.value:.{digits}g}" for digits in range(3, 18))
    return next(text for text in shown if not any(float(text) == threshold for threshold in thresholds))


def _score(report: Report) -> Text:
    style = "green" if report.status is Status.PASSED else "yellow" if report.score else "red"
    line = Text(
        text("report.score", score=shown_points(report.score), most=shown_points(report.max_points)),
        style=f"bold {style}",
    )
    # An attempt whose failing checks all failed is `failed` however much it earned; beside a score that would mislead.
    shown = Status.PARTIAL if report.status is Status.FAILED and report.score else report.status
    line.append(f"  {text(f'status.{shown.value}')}  ", style=style)
    line.append(text("report.duration", seconds=f"{report.duration_s:.1f}"), style="dim")
    return line


def _noted(note: Note) -> str:
    said = note.text if note.times == 1 else text("report.note_times", note=note.text, times=note.times)
    return text("report.note", note=said)


def _environment(report: Report) -> Iterator[RenderableType]:
    environment = report.environment
    yield ""
    yield _safe(
        text("report.environment", python=environment.python, numpy=environment.numpy, platform=environment.platform,
             threads=environment.threads, seeds=", ".join(map(str, report.seeds)),
             checks=report.checks_sha256[:12], submission=report.submission_sha256[:12]),
        style="dim",
    )  # fmt: skip


def shown_points(points: float) -> str:
    """Round for showing only, and never to a whole that was not reached."""
    if points == int(points):
        return str(int(points))
    # Down, where rounding would reach the whole: 9.9996 of 10 is not 10.
    shown = round(points, 1)
    return f"{math.floor(points * 1000) / 1000:.3f}" if shown == int(shown) else f"{shown:.1f}"


def _mark(status: Status, encoding: str) -> str:
    return first_encodable(_MARKS.get(status, _FAILED_MARKS), encoding)


def first_encodable(marks: str, encoding: str) -> str:
    """Return the first of some marks that a console's encoding has."""
    for mark in marks:
        try:
            mark.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            continue
        return mark
    return "*"
