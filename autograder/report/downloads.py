"""What `grade data` shows: a bar for each file that is downloaded, and the table of datasets."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from autograder.datasets.fetching import Bar, FetchListener
from autograder.datasets.registry import IdxFile
from autograder.messages import text
from autograder.report.terminal import stdout_console
from autograder.results import DatasetState

_WIDEST = 140
_MEGABYTE, _KILOBYTE = 1e6, 1e3


@contextmanager
def downloads() -> Iterator[FetchListener]:
    """Show bars on stderr while the block runs, and give the listener that feeds them. A pipe gets plain lines."""
    console = Console(file=sys.stderr, highlight=False)
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress)


class _Lines(FetchListener):
    def __init__(self, console: Console) -> None:
        self._console = console

    def bar(self, file: IdxFile) -> Bar | None:
        self._console.print(Text(text("data.fetching", file=f"{file.name}.gz", size=megabytes(file.gz_bytes))))
        return None

    def mirror_failed(self, mirror: str, problem: str) -> None:
        self._console.print(Text(text("data.mirror_failed", mirror=mirror, problem=problem[:300]), style="yellow"))


class _Bars(_Lines):
    def __init__(self, progress: Progress) -> None:
        super().__init__(progress.console)
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def bar(self, file: IdxFile) -> Bar | None:
        if file.name not in self._tasks:
            self._tasks[file.name] = self._progress.add_task(f"{file.name}.gz", total=file.gz_bytes)
        self._progress.reset(self._tasks[file.name])
        return _Bar(self._progress, self._tasks[file.name], file.gz_bytes)


class _Bar:
    """One bar, as pooch moves it: by pieces, and at the end to zero and then to the server's length, which may lack."""

    def __init__(self, progress: Progress, task: TaskID, total: int) -> None:
        self._progress, self._task = progress, task
        self._ended = False
        self.total = total

    def update(self, amount: int) -> None:
        if not self._ended:
            self._progress.update(self._task, advance=amount)

    def reset(self) -> None:
        self._ended = True
        self._progress.update(self._task, completed=self._progress.tasks[self._task].total)

    def close(self) -> None:
        self._progress.stop_task(self._task)


def print_datasets(states: Sequence[DatasetState], console: Console | None = None) -> None:
    """Print which datasets are known and where they lie."""
    made = console or stdout_console(_WIDEST)
    table = Table(box=None, pad_edge=False)
    for column in ("name", "where", "download", "licence"):
        table.add_column(text(f"data.column.{column}"), overflow="fold")
    for state in states:
        where = Text(state.folder) if state.folder else Text(text("data.absent", name=state.name), style="yellow")
        table.add_row(state.name, where, megabytes(state.download_bytes), state.licence)
    made.print(table)


def megabytes(size_bytes: int) -> str:
    """Return a size as people read it: 30.9 MB, and 5 kB for a small one."""
    if size_bytes < _MEGABYTE:
        return f"{size_bytes / _KILOBYTE:.0f} kB"
    return f"{size_bytes / _MEGABYTE:.1f} MB"
