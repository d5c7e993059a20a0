"""What the student's code prints: drained all the time, counted; only the tail is kept, as a terminal shows it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from typing import IO, NamedTuple

from autograder.box import screen
from autograder.box.advice import TAIL_BYTES

_CHUNK_BYTES = 64 << 10
# SECURITY: of the student's making. None of the classes takes in ESC, so no part of a text is looked at twice.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]?[0-Z\\^-~])")


def shown(printed: bytes) -> str:
    """Return the tail of what was printed as a terminal leaves it: a progress bar is one line, its last state.

    Cut afterwards, not before: a bar of a thousand states would push out every line that was printed before it.
    """
    said = _ESCAPE.sub("", printed.decode(errors="replace")).replace("\r\n", "\n")
    left = "\n".join(_last_state(line) for line in said.split("\n"))
    return left.encode()[-TAIL_BYTES:].decode(errors="ignore")


def _last_state(line: str) -> str:
    """Return what a line shows after every return to its beginning and every step back."""
    if "\r" not in line and "\b" not in line:
        return line
    states = (_stepped_back(state) for state in reversed(line.split("\r")))
    return next((state for state in states if state.strip()), "")


def _stepped_back(state: str) -> str:
    kept: list[str] = []
    for char in state:
        if char != "\b":
            kept.append(char)
        elif kept:
            kept.pop()
    return "".join(kept)


class Printed(NamedTuple):
    """What a notebook printed up to a mark."""

    text: str
    then: bytes
    """The kind of the mark; empty: the output ended."""


class CellPrints:
    """What a notebook's cells print, cut where they are marked, until the last cell has ended.

    SECURITY: the student's code can find the secret and write marks where it likes. That puts what it prints under
    others of its cells, and ends it early; how much is kept is bounded, and nothing that comes after the end is.

    Args:
        secret: of the marks.
        most_marks: that are taken.
    """

    def __init__(self, secret: bytes, most_marks: int) -> None:
        kinds = screen.CELL + screen.FIGURE + screen.LEFT_OUT + screen.END
        self.marks = re.compile(b"\0" + re.escape(secret) + b"([" + kinds + b"])\0")
        self._left_marks, self._left_bytes = most_marks, screen.CELLS_BYTES
        self._rest = bytearray()
        self.found: list[Printed] = []
        self.ended = False

    def feed(self, chunk: bytes) -> None:
        """Take what was read next."""
        if self.ended:
            return
        self._rest += chunk
        while not self.ended and (found := self.marks.search(self._rest)):
            self._cut(found.start(), found[1])
            del self._rest[: found.end()]
        del self._rest[:-_CHUNK_BYTES]

    def end(self) -> None:
        """Nothing more is kept."""
        if not self.ended:
            self._cut(len(self._rest), b"")
            self.ended = True
        self._rest.clear()

    def _cut(self, end: int, kind: bytes) -> None:
        said = shown(bytes(self._rest[:end])).encode()
        most = min(screen.CELL_BYTES, self._left_bytes)
        end_of_it = said[max(len(said) - most, 0) :]
        kept = said if len(said) <= most else end_of_it.partition(b"\n")[2] or end_of_it
        self._left_bytes -= len(kept)
        cut = "" if len(kept) == len(said) else "…\n"
        self.found.append(Printed(cut + kept.decode(errors="ignore"), kind))
        self._left_marks -= 1
        self.ended = kind == screen.END or not self._left_marks


class OutputDrain:
    """A thread that reads the output pipe, so that the student's code never blocks on a full one.

    Args:
        pipe: the read end.
        max_bytes: of one check; past it `on_flood` is called, once.
        on_flood: ends the box.
        cells: takes what a notebook's cells print, where somebody looks.
    """

    def __init__(
        self, pipe: IO[bytes], max_bytes: int, on_flood: Callable[[], None], cells: CellPrints | None = None
    ) -> None:
        self._pipe = pipe
        self._max_bytes = max_bytes
        self._on_flood = on_flood
        self._cells = cells
        self._changed = threading.Condition()
        self._tail = bytearray()
        self._count = 0
        self.most_bytes = 0  # that one check has printed
        self._ended = False
        self._thread = threading.Thread(target=self._drain, name="box output", daemon=True)
        self._thread.start()

    def take(self, marker: bytes, timeout_s: float) -> bytes:
        """Return the end of what came since the last `take`, up to `marker`, and start anew.

        The marker was written after the student's output. SECURITY: the student's code may write it too, or never let
        it through; either costs no more than the tail being cut differently, and `timeout_s`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or marker in self._tail, timeout_s)
            tail, found, rest = bytes(self._tail).partition(marker)
            self._tail = bytearray(rest) if found else bytearray()
            self._count = len(rest)
            return self._without_marks(tail)

    def take_all(self, timeout_s: float) -> bytes:
        """Return the end once the box is dead: until the end of the pipe, or `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout_s)
            tail = bytes(self._tail)
            self._tail.clear()
            return self._without_marks(tail)

    def take_cells(self, timeout_s: float) -> Sequence[Printed]:
        """Return what the notebook's cells have printed, once the last one has ended, or the box, or `timeout_s`.

        SECURITY: what is read later is not theirs, whenever it was written: the box may have been asked since.
        """
        cells = self._cells
        if cells is None:
            return ()
        with self._changed:
            self._changed.wait_for(lambda: self._ended or cells.ended, timeout_s)
            cells.end()
            return tuple(cells.found)

    def _without_marks(self, tail: bytes) -> bytes:
        return self._cells.marks.sub(b"", tail) if self._cells else tail

    def _drain(self) -> None:
        while chunk := self._read():
            with self._changed:
                self._tail += chunk
                if self._cells:
                    self._cells.feed(chunk)
                # Two chunks: a marker in the last one must still have more than its TAIL_BYTES in front of it.
                del self._tail[: -2 * _CHUNK_BYTES]
                flooded = self._count <= self._max_bytes < self._count + len(chunk)
                self._count += len(chunk)
                self.most_bytes = max(self.most_bytes, self._count)
                self._changed.notify_all()
            if flooded:
                self._on_flood()
        self._pipe.close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe.fileno(), _CHUNK_BYTES)
        except (OSError, ValueError):  # closed under us
            return b""
