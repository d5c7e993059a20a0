"""What `grade run` shows: progress on a terminal, lines in a pipe, and at the end what it came to."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from autograder.messages import printable, text
from autograder.report.terminal import stdout_console
from autograder.report.words import shown_points
from autograder.run.grading import Done, Tell
from autograder.run.planning import Work

_STYLES = {"graded": "green", "scored": "cyan", "known": "dim", "unreadable": "yellow", "internal": "red"}
_INTERNAL, _SOME_UNREADABLE = 3, 1
_MOST_SHOWN = 4  # of those that are being graded: a cluster grades a hundred at a time


def exit_code(done: Sequence[Done]) -> int:
    """Return the exit code of a run: a low score is a result, what could not be graded is not."""
    ended = {one.ended for one in done}
    if "internal" in ended:
        return _INTERNAL
    return _SOME_UNREADABLE if "unreadable" in ended else 0


@contextmanager
def running(works: Sequence[Work], *, enabled: bool) -> Iterator[Tell]:
    """Show how it goes while the block runs, and give what is to be told."""
    console = Console(file=sys.stderr, highlight=False)
    if not enabled:
        yield Tell()
    elif not console.is_terminal:
        yield _Lines(len(works))
    else:
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[who]}", markup=False, style="dim"),
        )  # fmt: skip
        with Progress(*columns, console=console) as progress:
            yield _Bar(progress, len(works))


class _Lines(Tell):
    """A line for each attempt, as logs have them."""

    def __init__(self, total: int) -> None:
        self._total, self._count, self._waits = total, 0, False

    def waits(self, why: str) -> None:
        """Say so once: it is so after every attempt."""
        if not self._waits:
            print(why, file=sys.stderr, flush=True)  # noqa: T201
        self._waits = True

    def done(self, done: Done) -> None:
        """Say what became of a submission."""
        self._count += 1
        if done.ended != "known":
            # As it is: laying out thousands of lines for a terminal that is none takes seconds.
            print(_line(done, f"[{self._count}/{self._total}] ").plain, file=sys.stderr, flush=True)  # noqa: T201


class _Bar(Tell):
    """A bar, and above it what needs a look."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(text("run.grading"), total=total, who="")
        self._running: dict[int, str] = {}
        self._waits = False

    def started(self, work: Work) -> None:
        """Show who is being graded."""
        self._running[work.row.id] = ", ".join(work.students)
        self._show()

    def placed(self, work: Work, where: str) -> None:
        """Show which worker grades whom."""
        self._running[work.row.id] = f"{', '.join(work.students)} ({printable(where)})"
        self._show()

    def waits(self, why: str) -> None:
        """Say so once, above the bar."""
        if not self._waits:
            self._progress.console.print(why, style="yellow", markup=False)
        self._waits = True

    def done(self, done: Done) -> None:
        """Move on."""
        self._running.pop(done.work.row.id, None)
        self._progress.advance(self._task)
        self._show()
        if done.ended in {"internal", "unreadable"}:
            self._progress.console.print(_line(done))

    def _show(self) -> None:
        shown = list(self._running.values())
        more = [f"+{len(shown) - _MOST_SHOWN}"] if len(shown) > _MOST_SHOWN else []
        self._progress.update(self._task, who=" · ".join([*shown[:_MOST_SHOWN], *more]))


def _line(done: Done, before: str = "") -> Text:
    work, result = done.work, done.result
    who = ", ".join(work.students)
    line = Text(before, style="dim").append(f"{who}  {printable(work.row.name)}  ", style="default")
    if done.ended in {"internal", "unreadable"}:
        ended = text(f"run.ended.{done.ended}")
        line.append(text("run.because", ended=ended, problem=printable(done.problem)), style="default")
        line.highlight_words([ended], _STYLES[done.ended])
        return line
    assert result is not None  # noqa: S101 - of all the others there is one
    score = f"{shown_points(result.score)}/{shown_points(result.max_points)}"
    line.append(score, style="green" if result.score >= result.max_points else "yellow")
    line.append(f"  {text(f'status.{result.status}')}  {result.duration_s:.1f} s", style="dim")
    if done.where:
        line.append(f"  {printable(done.where)}", style="dim")
    return line if done.ended == "graded" else line.append(f"  {text(f'run.ended.{done.ended}')}", style="cyan")


def print_plan(works: Sequence[Work], console: Console | None = None) -> None:
    """Print what a run would do."""
    made = console or stdout_console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for work in works:
        cells = (
            f"#{work.row.id}",
            ", ".join(work.students),
            work.row.name,
            text(f"run.task.{work.task}"),
            work.problem or _part(work),
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    made.print(table)
    counts = Counter(work.task for work in works)
    made.print(
        " · ".join(f"{text(f'run.task.{task}')} {count}" for task, count in counts.items()) or text("run.nothing")
    )


def _part(work: Work) -> str:
    return text("run.part", checks=", ".join(sorted(work.checks))) if work.checks else ""


def print_done(done: Sequence[Done], console: Console | None = None) -> None:
    """Print what a run came to: how many of each, and what needs a look."""
    made = console or stdout_console()
    for one in done:
        if one.ended in {"internal", "unreadable"}:
            made.print(_line(one))
    counts: Counter[str] = Counter(one.ended for one in done)
    parts = [f"{text(f'run.ended.{name}')} {counts[name]}" for name in _STYLES if counts[name]]
    made.print(Text(" · ".join(parts) or text("run.nothing"), style="bold"))
    scores = [one.result.score for one in done if one.result is not None and one.ended != "internal"]
    if scores:
        most = max(one.result.max_points for one in done if one.result)
        middle, low, high, full = map(shown_points, (median(scores), min(scores), max(scores), most))
        made.print(text("run.scores", median=middle, low=low, high=high, most=full))
    if counts["internal"]:
        made.print(Text(text("run.internal_hint"), style="red"))


def as_document(works: Sequence[Work], done: Sequence[Done] = ()) -> dict[str, object]:
    """Return what `--json` prints."""
    if not done:
        return {"planned": [_planned(work) for work in works]}
    return {"done": [_planned(one.work) | _ended(one) for one in done]}


def _planned(work: Work) -> dict[str, object]:
    return {"submission": work.row.id, "students": list(work.students), "name": work.row.name,
            "task": work.task, "checks": sorted(work.checks)}  # fmt: skip


def _ended(done: Done) -> dict[str, object]:
    result = done.result
    return {
        "ended": done.ended,
        "score": result.score if result else None,
        "max_points": result.max_points if result else None,
        "status": result.status if result else None,
        "problem": done.problem,
        "worker": done.where or None,
    }
