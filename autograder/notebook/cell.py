"""What a check shows in the cell that it runs in: how it goes, then the report."""

from __future__ import annotations

import queue
import threading
import time
from html import escape
from typing import IO, Any

from autograder.messages import text
from autograder.report.progress import PROGRESS_MARK
from autograder.results import Report

_SHOWN_EVERY_S = 0.25  # lines come by the hundred where a function is called in a loop; the last one counts
_TICK_S = 1.0


def follow(lines: IO[str]) -> list[str]:
    """Show what is being done while it is, and for how long; return what else was said.

    Args:
        lines: what `grade check --progress-lines` writes to stderr.
    """
    said: list[str] = []
    line = _LiveLine()
    # A thread of its own reads: the one that may show something in the cell has to wake up while nothing is said.
    told: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines, told), daemon=True).start()
    try:
        while True:
            try:
                one = told.get(timeout=line.due_s())
            except queue.Empty:
                line.show()
                continue
            if one is None:
                return said
            if one.startswith(PROGRESS_MARK):
                line.now(one.removeprefix(PROGRESS_MARK).rstrip("\n"))
            else:
                said.append(one.rstrip("\n"))
    finally:
        line.close()


def _read(lines: IO[str], told: queue.SimpleQueue[str | None]) -> None:
    try:
        for line in lines:
            told.put(line)
    except ValueError:  # closed: the check was stopped, and nobody waits for what it says
        return
    told.put(None)


class _LiveLine:
    """One line of output that is replaced by the next, and goes away at the end."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._said = self._shown = ""
        self._since = time.monotonic()
        self._shown_at = 0.0

    def now(self, said: str) -> None:
        """Take what is being done from now on."""
        if said != self._said:
            self._said = said
            self._since = time.monotonic()

    def due_s(self) -> float:
        """Return in how many seconds the line is to be shown again."""
        every_s = _TICK_S if self._said == self._shown else _SHOWN_EVERY_S
        return max(0.0, self._shown_at + every_s - time.monotonic())

    def show(self) -> None:
        """Show the line as it is now."""
        self._shown, self._shown_at = self._said, time.monotonic()
        if not self._said:
            return
        elapsed = text("report.duration", seconds=f"{self._shown_at - self._since:.0f}")
        said = escape(f"{self._said} · {elapsed}")
        html = f'<span style="color: var(--jp-content-font-color2, #666)">{said}</span>'
        if self._handle is None:
            self._handle = _display(html, self._said, updated_later=True)
        else:
            self._handle.update(_HtmlAndText(html, self._said))

    def close(self) -> None:
        """Take the line away."""
        if self._handle is not None:
            self._handle.update(_HtmlAndText("", ""))


def show_report(report: Report, plain: str, *, saved: str = "", unsaved: str = "") -> None:
    """Show a report in the cell.

    Args:
        report: as its reader may see it.
        plain: the same in words, for programs that show no HTML.
        saved: how old the file is that was checked.
        unsaved: that the notebook says something else than the file.
    """
    from autograder.report.html import report_html

    _display(report_html(report, saved=saved, unsaved=unsaved), "\n".join(filter(None, (unsaved, plain))))


class _HtmlAndText:
    """Something to show: a program that shows no HTML takes the text."""

    def __init__(self, html: str, plain: str) -> None:
        self._html = html
        self._plain = plain

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._plain


def _display(html: str, plain: str, *, updated_later: bool = False) -> Any:
    from IPython.display import display

    return display(_HtmlAndText(html, plain), display_id=True if updated_later else None)
