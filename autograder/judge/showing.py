"""What a notebook's cells showed, made fit for a report: plain text and pictures, cell by cell, and told as a claim.

How it comes here: autograder.box.screen. SECURITY: nothing in here may reach a score or a status.
"""

from __future__ import annotations

import base64

from autograder.box.client import ToldByCells
from autograder.box.screen import CELL, FIGURE, FIGURES_BYTES, LEFT_OUT, MOST_FIGURES
from autograder.judge.claims import plain_lines
from autograder.judge.png import clean_png
from autograder.messages import text
from autograder.results import CellPart


def cells_shown(told: ToldByCells, count: int) -> tuple[tuple[CellPart, ...], ...]:
    """Return what each cell showed; nothing where nobody asked, or no cell was run.

    Args:
        told: by the box.
        count: of the notebook's code cells.
    """
    if not told.printed:
        return ()
    cells: list[list[CellPart]] = [[] for _ in range(count)]
    pictures = _pictures(told)
    left_out = CellPart(text=text("notebook.figure_left_out") + "\n")
    at, shows = -1, 0  # the cell; the figures of all cells so far
    for printed, mark in told.printed:
        parts = cells[at] if 0 <= at < count else []
        if said := plain_lines(printed):
            parts.append(CellPart(text=said))
        if mark == CELL:
            at += 1
        elif mark in {FIGURE, LEFT_OUT}:
            png = pictures[shows] if mark == FIGURE and shows < len(pictures) else ""
            shows += mark == FIGURE
            if png or left_out not in parts:  # once a cell
                parts.append(CellPart(png=png) if png else left_out)
    return tuple(map(tuple, cells))


def _pictures(told: ToldByCells) -> list[str]:
    """Return the figures in the order in which they were shown; empty for what is none."""
    made, left = list[str](), FIGURES_BYTES
    for claim in told.figures[:MOST_FIGURES]:
        picture = clean_png(claim)
        left -= len(picture)
        made.append(base64.b64encode(picture).decode() if left >= 0 else "")
    return made
