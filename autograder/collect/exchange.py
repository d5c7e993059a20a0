"""nbgrader's exchange: what `nbgrader submit` has put there.

    exchange:/srv/nbgrader/exchange/COURSE/inbound
    exchange:/srv/nbgrader/exchange/COURSE/inbound#any-owner     where all files belong to one user, as in containers

Written against nbgrader 0.9.6, nbgrader/exchange/default/submit.py and collect.py: a folder for each submission,
`USER+ASSIGNMENT+TIMESTAMP+RANDOM` (the last by `ExchangeSubmit.add_random_string`), with the files, `timestamp.txt` and
`submission_secret.txt`. The time is written by `Exchange.timestamp_format`, "%Y-%m-%d %H:%M:%S.%f %Z" unless a course
says otherwise, by the clock of `Exchange.timezone`, UTC unless it does.

All of a student's submissions are taken, each with the time in its name: the late policy says which counts.

`nbgrader submit --student=WHO` takes any name, and inbound can be written by everybody. So the folder's owner has to be
the user that its name tells; otherwise it is doubtful, and nobody's. nbgrader itself prints a warning, and collects it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from autograder.collect.accounts import Accounts, user_name
from autograder.collect.found import Found, Refused, is_shown
from autograder.collect.hostile_tree import Tree, opened, read_tree
from autograder.collect.hub import ANY_OWNER, changed_later
from autograder.collect.letter import one_line
from autograder.collect.opening import Wanted
from autograder.collect.unpack import unpack
from autograder.errors import UsageError
from autograder.messages import joined, text
from autograder.zip_archive import decoded_name

SCHEME = "exchange:"
_OF_NBGRADER = ("timestamp.txt", "submission_secret.txt")
_INBOUND = "inbound"
_TIME = re.compile(
    r"^(?P<face>\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(?: ?(?P<zone>[+-]\d\d:?\d\d|[A-Za-z][\w/]*))?$"
)
_TIMES_DIFFER = timedelta(minutes=10)  # a large homework on a slow disk is copied for as long


class Name(NamedTuple):
    """What the name of a submission's folder tells."""

    user: str
    assignment: str
    time: str


class Time(NamedTuple):
    """A moment, and what is to be said of it."""

    moment: datetime
    note: str = ""


def read_name(name: str, assignments: frozenset[str]) -> Name | None:
    """Return what a folder's name tells; None where it is for none of these assignments. A user's name may hold a +."""
    for assignment in assignments:
        user, plus, rest = name.rpartition(f"+{assignment}+")
        if plus and user:
            # The random part has no + (it is base64 for addresses); a zone as in "+0800" has one before it.
            time = rest if _TIME.match(rest) else rest.rpartition("+")[0] or rest
            return Name(user, assignment, time)
    return None


def read_time(said: str, zone: tzinfo) -> Time | None:
    """Return the moment that nbgrader wrote.

    Args:
        said: the text.
        zone: the course's, for those that name none, or one that only this course can mean: CST is three.
    """
    match = _TIME.match(said.strip())
    if match is None:
        return None
    try:
        made = _made(match, zone)
    except (ValueError, OverflowError):
        return None
    return made if is_shown(made.moment) else None


def _made(match: re.Match[str], zone: tzinfo) -> Time:
    face = datetime.fromisoformat(match["face"])
    named = match["zone"]
    if named is None:
        return Time(face.replace(tzinfo=UTC))  # as nbgrader reads it
    if offset := re.fullmatch(r"([+-])(\d\d):?(\d\d)", named):
        sign = -1 if offset[1] == "-" else 1
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3])) * sign
        return Time(face.replace(tzinfo=timezone(ahead)).astimezone(UTC))
    found = _zone(named, face, zone)
    note = "" if found else text("sources.exchange_zone", zone=named)
    return Time(face.replace(tzinfo=found or zone).astimezone(UTC), note)


def _zone(named: str, face: datetime, course: tzinfo) -> tzinfo | None:
    if named.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    if named in {face.replace(tzinfo=course, fold=fold).tzname() for fold in (0, 1)}:
        return course
    try:
        return ZoneInfo(named)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


class ExchangeSource:
    """The inbound folder of a course's exchange.

    Args:
        inbound: the folder.
        wanted: what is collected.
        any_owner: whether folders may belong to anybody.
    """

    def __init__(self, inbound: Path, wanted: Wanted, *, any_owner: bool) -> None:
        self.label = SCHEME + str(inbound)
        self._inbound, self._wanted, self._any_owner = inbound, wanted, any_owner
        self._accounts = Accounts(wanted.students)

    def __iter__(self) -> Iterator[Found | Refused]:
        """Yield the submissions, the oldest first.

        Raises:
            UsageError: the folder can't be read.
        """
        assignment = self._wanted.course.assignment(self._wanted.assignment)
        mine = frozenset({assignment.id, assignment.folder.name})
        dated: list[tuple[datetime, str, Name, Time]] = []
        for name in self._names():
            told = read_name(_storable(name), mine)
            if told is None:
                continue
            time = read_time(told.time, self._wanted.zone)
            if time is None:
                yield Refused(_storable(name), _storable(name), text("sources.exchange_name"))
            else:
                dated.append((time.moment, name, told, time))
        for _, name, told, time in sorted(dated):
            try:
                yield self._take(name, told, time)
            except UsageError as error:
                problem = joined(error.message, error.hint)
                yield Refused(_storable(name), _storable(name), problem, self._texts(told.user))

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self._inbound))
        except OSError as error:
            problem = error.strerror or error
            message = text("sources.no_exchange", folder=self._inbound, problem=problem)
            raise UsageError(message, hint=text("sources.no_exchange_hint")) from None

    def _take(self, name: str, told: Name, time: Time) -> Found:
        with opened(self._inbound, name) as descriptor:
            owner = os.fstat(descriptor).st_uid
            key = _storable(name)
            tree = read_tree(descriptor, key)
        for file, other in tree.linked.items():
            if other != owner:
                raise UsageError(text("sources.hard_link", file=file, owner=user_name(other)))
        stamp = tree.files.get(_OF_NBGRADER[0], b"").decode(errors="replace")
        mine = {file: content for file, content in tree.files.items() if file not in _OF_NBGRADER}
        cleaned: list[str] = []
        files = unpack(mine, key, cleaned.append)
        students = self._accounts.students(told.user)
        notes = (*self._time_notes(time, stamp, tree, students), *tree.notes(), *cleaned)
        shown = f"{told.user} {time.moment.astimezone(self._wanted.zone):%Y-%m-%d %H:%M}"
        if stranger := self._stranger(tree, told.user):
            doubt = text("sources.impersonation", said=told.user, owner=user_name(stranger[0]))
            candidates = tuple(dict.fromkeys((*students, *self._accounts.students(user_name(stranger[0])))))
            return Found(key, shown, time.moment, files, (), doubt=doubt, candidates=candidates, notes=notes)
        return Found(key, shown, time.moment, files, self._texts(told.user), notes=notes)

    def _texts(self, user: str) -> tuple[str, ...]:
        students = self._accounts.students(user)
        return students if len(students) == 1 else (user,)

    def _stranger(self, tree: Tree, user: str) -> tuple[int, ...]:
        """Return the number of an owner who is not the user that the name tells."""
        if self._any_owner:
            return ()
        return tuple(owner for owner in tree.owners if user_name(owner).lower() != user.lower())

    def _time_notes(self, time: Time, stamp: str, tree: Tree, students: tuple[str, ...]) -> Iterator[str]:
        zone = self._wanted.zone
        if time.note:
            yield time.note
        other = read_time(stamp, zone)
        if other is not None and other.moment != time.moment:
            said, stamped = (f"{one.astimezone(zone):%Y-%m-%d %H:%M %Z}" for one in (time.moment, other.moment))
            yield text("sources.exchange_times", said=said, other=stamped)
        deadlines = [self._wanted.deadlines[one] for one in students if one in self._wanted.deadlines]
        if len(deadlines) == 1:
            yield from changed_later(time.moment, tree.changed, deadlines[0], zone)


def _storable(name: str) -> str:
    """Return a folder's name as text in one line.

    SECURITY: everybody may write into inbound, names of any bytes: one that is no text would end the collection.
    """
    return one_line(decoded_name(os.fsencode(name)))


def open_exchange(said: str, wanted: Wanted) -> ExchangeSource:
    """Return the source for an address: of inbound, or of the course's folder in the exchange.

    Raises:
        UsageError: it is no exchange.
    """
    path, _, option = said.removeprefix(SCHEME).strip().partition("#")
    folder = Path(path).expanduser().absolute()
    if folder.name != _INBOUND and (folder / _INBOUND).is_dir():
        folder /= _INBOUND
    if not path or option not in {"", ANY_OWNER} or not folder.is_dir():
        message = text("sources.no_exchange", folder=folder, problem=text("sources.no_folder"))
        raise UsageError(message, hint=text("sources.no_exchange_hint"))
    return ExchangeSource(folder, wanted, any_owner=option == ANY_OWNER)
