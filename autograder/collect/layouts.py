"""How those who hand in are told apart in a folder or an archive: by an LMS's way of naming, or by what lies on top.

Canvas, "Download Submissions": all files side by side, `smithbob_340934_208490284_BobsWork.zip`, with `LATE_` before
the two numbers where it was; the first number is the student's in Canvas. https://github.com/mikewesthad/canvas-unzipper

Moodle, "Download all submissions": a folder a student, `Bob Smith_4711_assignsubmission_file_`, or the same as a prefix
of each file; the number is that of the grading worksheet's `Participant 4711`. moodle/moodle, mod/assign/locallib.php.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_CANVAS = re.compile(r"^(?P<name>[^_/]+)_(?:LATE_)?(?P<student>\d+)_(?P<submission>\d+)_(?P<file>[^/]+)$")
_NUMBERED = re.compile(r"\d{4,}")
_MOODLE = re.compile(r"^(?P<name>[^/_]+)_(?P<student>\d+)_assignsubmission_(?:file|onlinetext)_?/?(?P<file>.+)$")


@dataclass
class Group:
    """What one student handed in."""

    key: str
    name: str
    texts: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()
    inside: dict[str, str] = field(default_factory=dict)
    """Names of the files as the student meant them, and as they are found."""


def grouped(names: Iterable[str]) -> list[Group]:
    """Return the groups of files, in the order of their first file.

    Args:
        names: paths of all files, with slashes.
    """
    every = list(names)
    top = _common_folder(every)
    inner = {name: name[len(top) :] for name in every}
    for layout in (_canvas, _moodle):
        found = [layout(short) for short in inner.values()]
        # One stray file (a note by the instructor) does not make it another layout.
        if every and sum(one is not None for one in found) > len(every) / 2:
            break
    else:
        found = [None] * len(every)
    groups: dict[str, Group] = {}
    for (name, short), placed in zip(inner.items(), found, strict=True):
        group, inside = placed or _plain(short)
        files = groups.setdefault(group.key, group).inside
        # Canvas keeps two attachments of one name apart by a number that is none of the student's doing.
        files[f"{PurePosixPath(name).stem}/{inside}" if inside in files else inside] = name
    return list(groups.values())


_Placed = tuple[Group, str]


def _canvas(short: str) -> _Placed | None:
    match = _CANVAS.match(short)
    if match is None:
        return None
    student = match["student"]
    group = Group(f"canvas:{student}", match["file"], (match["file"], match["name"]), (("canvas", student),))
    return group, match["file"]


def _moodle(short: str) -> _Placed | None:
    match = _MOODLE.match(short)
    if match is None:
        return None
    student = match["student"]
    group = Group(f"moodle:{student}", match["name"], (match["name"], match["file"]), (("moodle", student),))
    return group, match["file"]


def _plain(short: str) -> _Placed:
    top, slash, rest = short.partition("/")
    if not slash:
        return Group(top, top, (PurePosixPath(top).stem,)), top
    return Group(top, top, (top,)), rest


def _common_folder(names: list[str]) -> str:
    """Return the one folder that everybody's work lies in, with its slash; empty where there is none.

    One student's folder by itself is none: what is in it has neither folders nor names with numbers in them.
    """
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or not all("/" in name for name in names):
        return ""
    top = tops.pop() + "/"
    below = [name[len(top) :] for name in names]
    numbered = sum(bool(_NUMBERED.search(name)) for name in below)
    return top if numbered > len(below) / 2 or all("/" in name for name in below) else ""
