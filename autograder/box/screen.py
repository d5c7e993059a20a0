r"""What a notebook's cells show while they make the module: figures, and where in the output each cell begins.

    a cell begins, a figure is shown ── \0<mark><kind>\0 on the output pipe ──▶ output.CellPrints ─┐
    figures, as PNG ─────────────────── Loaded ────────────────────────────────▶ judge.showing ◀───┘

As in a kernel, a figure is shown by `plt.show()`, by `display`, or by being open at the end of its cell, and is closed
then: the next cell draws a new one. That is so in every box; what is asked for is only that somebody looks.

SECURITY: all of it is told before the judge asks the box for anything, so it can't hold what a hidden check gives. The
bounds here keep the answer small enough to be sent; those that count are the judge's.

Imported inside the box: the standard library only, and by Python 3.9 too. Matplotlib is what the student's code has
imported, or nobody has.
"""

from __future__ import annotations

import io
import math
import os
import sys
from time import monotonic
from typing import Any

# Kinds of marks.
CELL, FIGURE, LEFT_OUT, END = b"c", b"f", b"x", b"e"

CELL_BYTES = 8 << 10  # kept of the text between two marks
CELLS_BYTES = 256 << 10  # of all that a notebook prints
MOST_FIGURES = 20  # of a notebook
FIGURE_BYTES = 1 << 20  # a picture of noise; a diagram has 50 KB
FIGURES_BYTES = 3 << 20  # together: a header of the protocol has 4 MiB
MOST_SIDE = 4096  # pixels
MOST_PIXELS = 2_000_000  # a browser takes 4 bytes for each, of every figure on the page
FIGURES_S = 10.0  # after which no more are drawn
_PAD_INCHES = 0.1
_MOST_AROUND = 4  # times as large as the figure


def mark(secret: bytes, kind: bytes) -> bytes:
    """Return what stands in the output where something happened."""
    return b"\0" + secret + kind + b"\0"


class Screen:
    """What one notebook's cells are shown on.

    Args:
        secret: of the marks; empty: nobody looks.
    """

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = secret
        self._is_on = False
        self._left_out = False  # in this cell
        self._left_s = FIGURES_S
        self.figures: list[bytes] = []

    def begin_cell(self) -> None:
        """A cell begins."""
        self._is_on, self._left_out = True, False
        self._mark(CELL)

    def end_cell(self) -> None:
        """A cell has ended: what it has drawn is shown."""
        self.show()

    def close(self) -> None:
        """The last cell has ended; from now on functions are called, and nobody looks."""
        self._is_on = False
        self._mark(END)

    def show(self) -> bool:
        """Show the figures that are open, as `plt.show()` does in a notebook; return whether anybody may look."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if self._is_on and pyplot is not None:
            # Broad: the student's code may have replaced anything that this works with.
            try:
                try:
                    for number in pyplot.get_fignums():
                        self._take(pyplot.figure(number))
                finally:
                    pyplot.close("all")
            except BaseException:  # noqa: BLE001
                self._leave_out()
        return self._is_on

    def display(self, *values: object, **_options: object) -> None:
        """Show values, as a notebook's `display` does: figures as pictures, anything else as text."""
        for value in values:
            self.show_value(value)

    def show_value(self, value: object) -> None:
        """Show a value, as what a cell's last line comes to."""
        figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
        if not (self._is_on and isinstance(figure, type) and isinstance(value, figure)):
            print(repr(value))  # noqa: T201 - as a kernel does
            return
        pyplot: Any = sys.modules.get("matplotlib.pyplot")
        try:
            self._take(value)
            if pyplot is not None:  # once is enough: it is not shown at the end of the cell as well
                pyplot.close(value)
        except BaseException:  # noqa: BLE001 - as above
            self._leave_out()

    def _take(self, figure: Any) -> None:
        if not self._secret or not (figure.axes or figure.lines):  # an empty one is nothing to a notebook
            return
        began = monotonic()
        taken = b""
        if len(self.figures) < MOST_FIGURES and self._left_s > 0:
            taken = _as_png(figure)
        self._left_s -= monotonic() - began
        if taken and len(taken) + sum(map(len, self.figures)) <= FIGURES_BYTES:
            self.figures.append(taken)
            self._mark(FIGURE)
        else:
            self._leave_out()

    def _leave_out(self) -> None:
        if not self._left_out:
            self._left_out = True
            self._mark(LEFT_OUT)

    def _mark(self, kind: bytes) -> None:
        if not self._secret:
            return
        for stream in (sys.stdout, sys.stderr):
            # The student's code may have closed or replaced it.
            try:
                stream.flush()
            except BaseException:  # noqa: BLE001, S112
                continue
        try:
            os.write(1, mark(self._secret, kind))
        except OSError:  # closed: nothing more can be shown
            self._secret = b""


def _as_png(figure: Any) -> bytes:
    """Return a figure as a notebook shows it, smaller where it would be too large; empty where it always is."""
    edges, dpi = _edges(figure)
    for part in (1, 2):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi / part, bbox_inches=edges)
        if buffer.tell() <= FIGURE_BYTES:
            return buffer.getvalue()
    return b""


def _edges(figure: Any) -> tuple[Any, float]:
    """Return what of a figure is shown, in inches, and in how many pixels each.

    Around everything that is drawn, as a notebook has it. Not by `bbox_inches="tight"`: a label far outside would make
    a picture of gigabytes. Here it is left outside.
    """
    width, height = figure.get_size_inches()
    if width * height * figure.dpi**2 > MOST_PIXELS:  # to measure it, it would be drawn as large as it is
        return None, _fitting(figure, width, height)
    edges = figure.get_tightbbox().padded(_PAD_INCHES)
    if 0 < edges.width * edges.height < _MOST_AROUND * width * height:
        width, height = edges.width, edges.height
    else:
        edges = None
    return edges, _fitting(figure, width, height)


def _fitting(figure: Any, width: float, height: float) -> float:
    fits = min(math.sqrt(MOST_PIXELS / (width * height)), MOST_SIDE / max(width, height))
    return min(float(figure.dpi), fits * 0.99)  # for what is rounded up on either side
