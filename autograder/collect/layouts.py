"""How those who hand in are told apart in a folder or an archive: by an LMS's way of naming, or by what lies on top.

Canvas, "Download Submissions": all files side by side, `smithbob_340934_208490284_BobsWork.zip`, with `LATE_` before
the two numbers where it was; the first number is the student's in Canvas. https://github.com/mikewesthad/canvas-unzipper

Moodle, "Download all submissions": a folder a student, `Bob Smith_4711_assignsubmission_file_`, or the same as a prefix
of each file; the number is that of the grading worksheet's `Participant 4711`. What was typed in lies beside it, in
`…_assignsubmission_onlinetext_`. Where groups hand in, name and number are the group's; nothing tells that they are.
moodle/moodle, mod/assign/classes/downloader.php (get_student_prefix) and mod/assign/locallib.php.

Blackboard, "Assignment File Download": all files side by side, `HW 1_2026017_attempt_2026-12-06-23-59-00_mlp.py`, and
for each attempt a `HW 1_2026017_attempt_2026-12-06-23-59-00.txt` that begins with `Name: Bob Smith (2026017)` and ends
with the names that the files had. The time is by the clock of the university. https://github.com/vangef/BBGradebookOrganiser
(utils/organiser.py) for the names; agreement/CodeGra.de, psef/blackboard.py, for what stands in the .txt.

Gradescope, "Export Submissions": a folder `submission_4711` each, and a `submission_metadata.yml` that says of each who
handed it in (several in a group) and when. https://github.com/donnell-f/gradescope-sleuth (initialize.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

from autograder.collect import gradescope
from autograder.collect.found import Submitter
from autograder.messages import text

_CANVAS = re.compile(r"^(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<student>\d+)_(?P<submission>\d+)_(?P<file>[^/]+)$")
_NUMBERED = re.compile(r"\d{4,}")
_MOODLE = re.compile(r"^(?P<name>[^/_]+)_(?P<student>\d+)_assignsubmission_(?:file|onlinetext)_?/?(?P<file>.+)$")
# The first of several: what follows it is the student's.
_BLACKBOARD = re.compile(
    r"^(?P<head>[^/]+?_(?P<user>[^_/]+))_attempt_(?P<at>\d{4}(?:-\d\d){5})(?:_(?P<file>[^/]+)|\.txt)$"
)
_BLACKBOARD_TIME = "%Y-%m-%d-%H-%M-%S"
_BLACKBOARD_NAME = re.compile(r"^Name:[ \t]*(?P<name>[^\r\n]+?)[ \t]*\((?P<user>[^()\r\n]+)\)[ \t]*\r?$", re.MULTILINE)
_BLACKBOARD_FILE = re.compile(
    r"^\s*Original filename:[ \t]*(?P<given>[^\r\n]+?)[ \t]*\r?\n\s*Filename:[ \t]*(?P<kept>[^\r\n]+?)[ \t]*\r?$",
    re.MULTILINE,
)
_SUBMISSION, _EXPORT = re.compile(r"submission_\d+/"), re.compile(r"assignment_\d+_export/")
_MOST_TOLD_BYTES = 1 << 20  # of such a .txt: what was typed in stands there, too

Read = Callable[[str, int], bytes]
"""Gives a file by its path; TooLarge or UsageError where it can't."""


@dataclass
class Group:
    """What one student handed in, or several together."""

    key: str
    name: str
    texts: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()
    inside: dict[str, str] = field(default_factory=dict)
    """Names of the files as the student meant them, and as they are found."""
    received: datetime | None = None
    """As the layout says; without a zone by the course's clock. None: when the files were changed."""
    notes: tuple[str, ...] = ()
    submitters: tuple[Submitter, ...] = ()
    team: str = ""
    """What may be the name of a group."""


def grouped(names: Iterable[str], read: Read) -> list[Group]:
    """Return the groups of files, in the order of their first file.

    Args:
        names: paths of all files, with slashes.
        read: for what a layout says in a file of its own.

    Raises:
        UsageError: such a file can't be read.
    """
    every = list(names)
    top = _common_folder(every)
    inner = {name: name[len(top) :] for name in every}
    if _is_gradescope(inner.values()):
        told = gradescope.read(read(top + gradescope.METADATA, gradescope.MOST_BYTES))
        return _gathered(inner, [_gradescope(short, told) for short in inner.values()])
    # The most telling first: `HW_1_2026017_attempt_…` could be one of Canvas, too.
    for layout in (_blackboard, _moodle, _canvas):
        found = [layout(short) for short in inner.values()]
        # One stray file (a note by the instructor) does not make it another layout.
        if every and sum(one is not None for one in found) > len(every) / 2:
            groups = _gathered(inner, found)
            if layout is _blackboard:
                for group in groups:
                    _as_blackboard_tells(group, read)
            return groups
    return _gathered(inner, [None] * len(every))


def _is_gradescope(names: Collection[str]) -> bool:
    """Whether files are an export of Gradescope's.

    SECURITY: a file of that name alone may be a student's among those of others, and would say whose all of them are.
    """
    others = [name for name in names if name != gradescope.METADATA]
    return len(others) < len(names) and all(_SUBMISSION.match(name) for name in others)


def _gathered(inner: dict[str, str], found: list[_Placed | None]) -> list[Group]:
    groups: dict[str, Group] = {}
    for (name, short), placed in zip(inner.items(), found, strict=True):
        if short == gradescope.METADATA and placed:
            continue
        group, inside = placed or _plain(short)
        kept = groups.setdefault(group.key, group)
        kept.notes = tuple(dict.fromkeys((*kept.notes, *group.notes)))
        # Canvas keeps two attachments of one name apart by a number that is none of the student's doing.
        kept.inside[f"{PurePosixPath(name).stem}/{inside}" if inside in kept.inside else inside] = name
    return list(groups.values())


_Placed = tuple[Group, str]


def _canvas(short: str) -> _Placed | None:
    match = _CANVAS.match(short)
    if match is None:
        return None
    student = match["student"]
    # What Canvas thought, by its own deadline. Lateness is found out by the course's, from when it was received.
    notes = (text("archives.lms_late"),) if match["late"] else ()
    aliases = (("canvas", student),)
    group = Group(f"canvas:{student}", match["file"], (match["file"], match["name"]), aliases, notes=notes)
    return group, match["file"]


def _moodle(short: str) -> _Placed | None:
    match = _MOODLE.match(short)
    if match is None:
        return None
    student, name = match["student"], match["name"]
    group = Group(f"moodle:{student}", name, (name, match["file"]), (("moodle", student),), team=name)
    return group, match["file"]


def _blackboard(short: str) -> _Placed | None:
    match = _BLACKBOARD.match(short)
    if match is None:
        return None
    try:
        received = datetime.strptime(match["at"], _BLACKBOARD_TIME)  # noqa: DTZ007 - the course's zone is put to it
    except ValueError:
        return None
    user, file = match["user"], match["file"] or ""
    name = file or short
    key = f"blackboard:{match['head']}:{match['at']}"
    return Group(key, name, (user, file), (("login", user),), received=received), file or short


def _as_blackboard_tells(group: Group, read: Read) -> None:
    """Put what Blackboard says of an attempt in its .txt in place of what its files' names say.

    SECURITY: only the first line, and the names of this attempt's own files: what the student typed stands in between.
    """
    told_by = next((name for inside, name in group.inside.items() if _is_about_attempt(inside)), None)
    if told_by is None:
        return
    told = read(told_by, _MOST_TOLD_BYTES).decode("utf-8-sig", errors="replace")
    if len(group.inside) > 1:
        given = {match["kept"]: PurePosixPath(match["given"]).name for match in _BLACKBOARD_FILE.finditer(told)}
        files = {inside: name for inside, name in group.inside.items() if name != told_by}
        own = {given.get(PurePosixPath(name).name, inside): name for inside, name in files.items()}
        group.inside = own if len(own) == len(files) else files
        group.name = next(iter(group.inside))
    if match := _BLACKBOARD_NAME.match(told):
        user = match["user"].strip()
        if group.key.partition(":")[2].rpartition(":")[0].endswith(f"_{user}"):  # a login may have a _ in it
            group.aliases = (("login", user),)
            group.texts = (user, match["name"], *group.inside)


def _is_about_attempt(inside: str) -> bool:
    match = _BLACKBOARD.match(inside)
    return match is not None and match["file"] is None


def _gradescope(short: str, told: dict[str, gradescope.Handed]) -> _Placed | None:
    folder, slash, rest = short.partition("/")
    if short == gradescope.METADATA:
        return Group("", "", ()), short  # it is nobody's
    if folder not in told:
        return None
    handed = told[folder]
    names = ", ".join(one.name for one in handed.submitters) or folder
    submitters = tuple(
        Submitter((one.sid, one.name), (("email", one.email),) if one.email else ()) for one in handed.submitters
    )
    group = Group(f"gradescope:{folder}", names, (folder,), received=handed.received, submitters=submitters)
    return group, rest if slash else short


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
    if _EXPORT.fullmatch(top) and _is_gradescope(below):
        return top
    numbered = sum(bool(_NUMBERED.search(name)) for name in below)
    return top if numbered > len(below) / 2 or all("/" in name for name in below) else ""
