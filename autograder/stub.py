"""Stubs from solutions: what students write is cut out, everything else stays as it is.

    # BEGIN SOLUTION (Task 2.1: fit)          # BEGIN SOLUTION (Task 2.1: fit)
    …                                   ──▶   raise NotImplementedError("Task 2.1: fit")
    # END SOLUTION                            # END SOLUTION

A region at the left margin (an import, a constant) becomes a comment: raising there would keep the file from being
imported, and every check would say so.
"""

from __future__ import annotations

import re
from pathlib import Path

from autograder.errors import ConfigError
from autograder.messages import text

_BEGIN = re.compile(r"^(?P<indent>[ \t]*)# BEGIN SOLUTION(?: \((?P<label>.*)\))?[ \t]*$")
_END = re.compile(r"^[ \t]*# END SOLUTION[ \t]*$")


def make_stub(solution: str, name: Path) -> str:
    """Return the stub of a solution's source.

    Args:
        solution: the source, with its regions marked.
        name: for errors.

    Raises:
        ConfigError: no region, or one that is not closed.
    """
    lines: list[str] = []
    began = regions = 0
    # Not splitlines: it also splits at characters that end no line of Python's.
    for number, line in enumerate(solution.removesuffix("\n").split("\n"), start=1):
        begin = _BEGIN.match(line)
        if begin and began:
            raise ConfigError(text("release.unclosed"), file=name, line=began)
        if begin:
            began, regions = number, regions + 1
            lines += [line, begin["indent"] + _placeholder(begin["indent"], begin["label"] or "your code")]
        elif _END.match(line):
            if not began:
                raise ConfigError(text("release.unopened"), file=name, line=number)
            began = 0
            lines.append(line)
        elif not began:
            lines.append(line)
    if began:
        raise ConfigError(text("release.unclosed"), file=name, line=began)
    if not regions:
        raise ConfigError(text("release.no_region"), file=name)
    return "\n".join(lines) + "\n"


def _placeholder(indent: str, label: str) -> str:
    if not indent:
        return f"# {label}: your code goes here"  # generated code, the same in every language
    quoted = label.replace("\\", "\\\\").replace('"', '\\"')
    return f'raise NotImplementedError("{quoted}")'


def regions(solution: str) -> list[list[tuple[int, str]]]:
    """Return the lines inside each region of a solution's source, with their numbers. A region left open counts too."""
    found: list[list[tuple[int, str]]] = []
    inside = False
    for number, line in enumerate(solution.split("\n"), start=1):
        if _BEGIN.match(line):
            found.append([])
        elif inside and not _END.match(line):
            found[-1].append((number, line))
        inside = bool(_BEGIN.match(line)) or (inside and not _END.match(line))
    return found
