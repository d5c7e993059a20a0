"""Where a line may be broken: at spaces, and between Chinese characters, which have none; measured in columns.

Python's textwrap, click and rich know spaces only, and the first two count a Chinese character as one column.
"""

from __future__ import annotations

import re
from itertools import pairwise
from unicodedata import east_asian_width

# What must not end a line, what must not begin one, and what may be parted from its neighbours.
_OPENING, _CLOSING = "（“‘《「", "，。；：！？、）”’》」…/"
_CHINESE = "\u2e80-\u2fff\u3040-\u9fff"
# SECURITY: may be the student's. Every part may be empty: none fails, so that nothing is looked at twice.
_PIECE = re.compile(
    rf"\s+|[{_OPENING}]*(?:[{_CHINESE}]|[^\s{_CHINESE}{_OPENING}{_CLOSING}](?:[^\s{_CHINESE}{_OPENING}{_CLOSING}]|/)*)?"
    rf"[{_CLOSING}]*\s*"
)


def columns(said: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(1 + (east_asian_width(char) in {"W", "F"}) for char in said)


def break_offsets(line: str, width: int) -> list[int]:
    """Return where a line is to be cut, so that no part of it takes more than `width` columns, but for spaces."""
    offsets: list[int] = []
    used = 0
    for match in _PIECE.finditer(line):
        kept = match[0].rstrip()
        if used and used + columns(kept) > width:
            offsets.append(match.start())
            used = 0
        if columns(kept) <= width:
            used += columns(match[0])
            continue
        for place, char in enumerate(kept, match.start()):  # longer than a line: cut anywhere
            if used + columns(char) > width and used:
                offsets.append(place)
                used = 0
            used += columns(char)
        used += len(match[0]) - len(kept)
    return offsets


def wrapped(said: str, width: int) -> list[str]:
    """Return the lines of one paragraph."""
    line = " ".join(said.split())
    cuts = [0, *break_offsets(line, width), len(line)]
    return [line[start:end].rstrip() for start, end in pairwise(cuts)]
