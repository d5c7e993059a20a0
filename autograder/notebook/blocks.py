"""A solution's source, or its stub's, cut into what becomes a notebook's cells.

A cell holds whole statements. Where students write in several methods of one class, for several tasks, the class is one
cell: a notebook can't divide it.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import NamedTuple

_BEGIN = re.compile(r"^[ \t]*# BEGIN SOLUTION(?: \((?P<label>.*)\))?[ \t]*$", re.MULTILINE)
_END_AT_MARGIN = "# END SOLUTION"
_TASK = re.compile(r"\w+ (?P<id>[\w.]+):")  # the label reads "Task 2.1: fit"


class Block(NamedTuple):
    """Statements that stand together in one cell."""

    source: str
    tasks: tuple[str, ...]
    """Whose solutions are written here; empty where students need not write anything."""
    solution: bool
    """Whether students write here."""


def blocks(source: str) -> list[Block]:
    """Return a module's source in pieces; its docstring and what it does as a program are left out.

    What no student writes in (imports, constants, finished functions) is put together as far as it follows on one
    another.

    Raises:
        SyntaxError: it is not Python.
    """
    made: list[Block] = []
    for piece in _statements(source):
        labels = [match["label"] or "" for match in _BEGIN.finditer(piece)]
        tasks = tuple(dict.fromkeys(found["id"] for label in labels if (found := _TASK.match(label))))
        if labels or not made or made[-1].solution:
            made.append(Block(piece, tasks, bool(labels)))
        else:
            made[-1] = made[-1]._replace(source=f"{made[-1].source}\n{piece}")
    return [block._replace(source=_tidy(block.source)) for block in made]


def _statements(source: str) -> list[str]:
    """Return the source of each statement with the comments that belong to it."""
    # Not splitlines: it also splits at characters that end no line of Python's.
    lines = source.split("\n")
    nodes = ast.parse(source).body
    starts = [0]
    for before, node in pairwise(nodes):
        starts.append(_start(lines, before.end_lineno or before.lineno, _first_line(node) - 1))
    pieces = ["\n".join(lines[start:end]) for start, end in pairwise([*starts, len(lines)])]
    return [piece for piece, node in zip(pieces, nodes, strict=True) if not _left_out(node)]


def _first_line(node: ast.stmt) -> int:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return min(one.lineno for one in [node, *node.decorator_list])
    return node.lineno


def _start(lines: list[str], earliest: int, first: int) -> int:
    """Return where a statement begins with the comments above it, as an index of lines.

    The end of a region stands behind the last statement in it, and the syntax tree knows no comments: it belongs to
    what stands above it.
    """
    at = first
    while at > earliest and lines[at - 1].startswith("#") and lines[at - 1].rstrip() != _END_AT_MARGIN:
        at -= 1
    return at


def _left_out(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return True
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _tidy(source: str) -> str:
    """Return a cell's source without blank lines around it, and with one at most where a module has two."""
    return re.sub(r"\n{3,}", "\n\n", source.strip("\n"))
