"""The live line while checks run: what is being done and for how long. On a terminal only; it goes to stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autograder.judge.listener import Listener
from autograder.messages import text
from autograder.results import CheckResult

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


_OF_A_KERNEL = "JPY_PARENT_PID"  # set by Jupyter for a kernel, and so for what it starts; not in JupyterLab's terminals
PROGRESS_MARK = "\x1eprogress "  # a control character: no message of ours begins with one


@contextmanager
def progress(*, enabled: bool) -> Iterator[Listener]:
    """Show a live line while the block runs, and give the listener that feeds it.

    Args:
        enabled: off for `--json`; a pipe gets none either.
    """
    if not enabled or not _is_live():
        yield Notices()
        return
    from rich.console import Console
    from rich.live import Live

    # The real stderr: pytest puts its own in place of sys.stderr while checks run.
    console = Console(file=sys.stderr)
    line = ProgressLine(console)
    with Live(line, console=console, transient=True, refresh_per_second=8):
        yield line


@contextmanager
def waiting(*, enabled: bool) -> Iterator[Callable[[str], None]]:
    """Show what is being done while the block runs, on a terminal only, and give what tells it."""
    if not enabled or not _is_live():
        yield lambda _said: None
        return
    from rich.console import Console

    with Console(file=sys.stderr).status("", spinner="line") as status:
        yield status.update


def _is_live() -> bool:
    """Whether a line can be written over: not where `!grade` in a notebook has a terminal that can't erase."""
    return sys.stderr.isatty() and _OF_A_KERNEL not in os.environ


class Notices(Listener):
    """No live line; what the user has to know is printed."""

    def notice(self, said: str) -> None:
        """Print it to stderr, which a program that reads the report does not read."""
        sys.stderr.write(f"{said}\n")


class _Doing(Notices):
    """Which check of how many, and what it is doing."""

    def __init__(self) -> None:
        self._check = ""
        self._doing = text("progress.starting")

    def said(self) -> str:
        """Return it in words."""
        parts = [part for part in (self._check, self._doing) if part]
        # What is called has its name from the student's code.
        return "".join(char for char in " · ".join(parts) if char.isprintable())

    def _now(self, doing: str) -> None:
        self._doing = doing

    def loading(self, framework: str | None) -> None:
        """The submission is being imported."""
        self._now(text("progress.loading", what=framework) if framework else text("progress.importing"))

    def check_started(self, title: str, number: int, total: int) -> None:
        """A check begins."""
        self._check = text("progress.check", number=number, total=total, title=title)
        self._now("")

    def calling(self, name: str, seed: int | None) -> None:
        """A function of the student's is called; one that returns at once is not worth a flicker."""
        doing = text("progress.calling", name=name) if seed is None else text("progress.training", name=name, seed=seed)
        if doing != self._doing:
            self._now(doing)

    def check_finished(self, result: CheckResult) -> None:  # noqa: ARG002 - the listener's signature
        """A check has ended."""
        self._now("")


class ProgressLines(_Doing):
    """A marked line on stderr for each thing that is done, for a program that shows them: a notebook's cell."""

    def _now(self, doing: str) -> None:
        super()._now(doing)
        # The real stderr: pytest puts its own in place of sys.stderr while checks run.
        stream = sys.__stderr__ or sys.stderr
        stream.write(f"{PROGRESS_MARK}{self.said()}\n")
        stream.flush()


class ProgressLine(_Doing):
    """One line: which check of how many, what it is doing, seconds."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        from rich.spinner import Spinner

        # Braille dots can't be shown by a GBK or ASCII console.
        name = "dots" if (console.encoding or "").lower().startswith("utf") else "line"
        self._spinner = Spinner(name, style="cyan")
        self._since = time.monotonic()

    def __rich__(self) -> RenderableType:
        """Render the line as it is now."""
        from rich.markup import escape

        elapsed = f"{time.monotonic() - self._since:4.1f} s"
        self._spinner.update(text=f"[dim]{elapsed}[/] {escape(self.said())}")
        return self._spinner

    def _now(self, doing: str) -> None:
        super()._now(doing)
        self._since = time.monotonic()

    def notice(self, said: str) -> None:
        """Print it above the live line, where it stays."""
        self._console.print(said, markup=False, highlight=False)
