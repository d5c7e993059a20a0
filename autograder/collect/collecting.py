"""From a source into the ledger: keep the files, find out whose they are, record both.

A hundred at a time, where the source is `Repeatable`, else one by one: files are written as they come; then all of them
are made safe; then they are recorded, in one transaction. So the ledger never names files that the store has not,
whenever it ends, and what was told as collected is on the disk. What a crash leaves in the store and not in the ledger
is taken the next time.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from autograder.collect.found import Found, Refused, Repeatable, Source
from autograder.collect.known import Known, KnownSubmissions, returned
from autograder.collect.matching import Matcher, Student
from autograder.collect.store import NotWrittenError, Store, not_written
from autograder.ledger import people
from autograder.ledger.database import Ledger
from autograder.ledger.models import Event, HandedInBy, Recognition, SubmissionRow
from autograder.ledger.models import Student as StudentRow
from autograder.messages import remembering, text
from autograder.messages.remembered import recipe_of
from autograder.pack import MANIFEST, manifests_in

_MOST_TOGETHER, _LONGEST_TOGETHER_S = 100, 2.0
_DISK_ERRORS = frozenset([sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR])
_PRIMARY = 0xFF  # of an error code of SQLite

Outcome = Literal["new", "again", "known", "unmatched", "doubtful", "refused"]


@dataclass(frozen=True)
class Collected:
    """What became of one thing that was found."""

    outcome: Outcome
    """`again`: the student has handed in before; `known`: these very files are in the ledger already."""
    name: str
    number: int = 0
    """Of the submission in the ledger; 0: it is not in it."""
    students: tuple[str, ...] = ()
    how: str = ""
    received: datetime | None = None
    problem: str = ""
    candidates: tuple[str, ...] = ()
    days_late: int = 0
    """By the deadline of the student; of several the latest."""
    notes: tuple[str, ...] = ()
    """What was cleaned, and what the source said of it."""


class _Whose(NamedTuple):
    """Whose something is, as far as that can be told."""

    students: tuple[str, ...]
    """Those who are named; they may be in a group."""
    how: str = ""
    candidates: tuple[str, ...] = ()
    problem: str = ""


class _Taken(NamedTuple):
    """Something that was found, written to the store and not yet recorded."""

    found: Found
    sha256: str
    whose: _Whose
    received: datetime


class Collector:
    """Takes what a source finds.

    Args:
        ledger: to record it in.
        store: to keep the files in.
        assignment: that it is for.
        author: who collects, and when.
        received: instead of what the source says; None: as it says.
    """

    def __init__(
        self, ledger: Ledger, store: Store, assignment: str, author: people.Author, received: datetime | None = None
    ) -> None:
        self._ledger, self._store, self._assignment, self._author = ledger, store, assignment, author
        self._received = received
        self._known = KnownSubmissions(assignment)
        self._waiting: list[_Taken | Collected] = []
        self._since = 0.0

    def collect(self, source: Source, tell: Callable[[Collected], None]) -> list[Collected]:
        """Take everything. What is interrupted goes on where it was.

        Raises:
            NotWrittenError: the disk is full. What was told of before is recorded.
        """
        with self._ledger.reading() as session:
            matcher = Matcher(matched_students(session))
        self._store.clean()
        made: list[Collected] = []
        refused: list[dict[str, object]] = []
        try:
            for found in _remembered(source):
                if isinstance(found, Refused) and not found.is_nothing:
                    refused.append(self._refused(found, matcher))
                self._take(found, matcher)
                if not isinstance(source, Repeatable) or self._is_enough():
                    made += self._record(source.label, tell)
        except NotWrittenError:
            self._store.forget()
            raise
        except BaseException:
            self._record(source.label, tell)
            raise
        made += self._record(source.label, tell)
        self._note(source.label, made, refused)
        if isinstance(source, Repeatable):
            source.recorded()
        return made

    def _note(self, label: str, made: list[Collected], refused: list[dict[str, object]]) -> None:
        """Record that it was collected, and what was refused: that is not in the store, and students ask."""
        counts: Counter[str] = Counter(one.outcome for one in made)
        about = {"assignment": self._assignment, "source": label, "refused_files": refused, **counts}
        with _disk_told(self._ledger), self._ledger.writing() as session:
            session.add(Event(at=self._author.at, who=self._author.who, kind="collect", about=about))

    def _refused(self, found: Refused, matcher: Matcher) -> dict[str, object]:
        match = matcher.match("", found.aliases, found.texts)
        students = [match.student] if match.student else []
        # As it is said now, and what it is made of: whoever asks next month may do so in another language.
        problem = {"problem": str(found.problem), "said": recipe_of(found.problem)}
        return {"key": found.key, "name": found.name, **problem, "students": students}

    def _take(self, found: Found | Refused, matcher: Matcher) -> None:
        if not self._waiting:
            self._since = time.monotonic()
        if isinstance(found, Refused):
            self._waiting.append(Collected("refused", found.name, problem=found.problem))
            return
        files = {name: content for name, content in found.files.items() if name.rsplit("/", 1)[-1] != MANIFEST}
        whose = self._whose(found, matcher)
        sha256 = self._store.write(files)
        # Their bytes are in the store: a hundred submissions need not fit into memory.
        kept = replace(found, files={})
        self._waiting.append(_Taken(kept, sha256, whose, self._received or found.received))

    def _is_enough(self) -> bool:
        """Whether to record what is waiting: a slow source is not to lose much, either."""
        return len(self._waiting) >= _MOST_TOGETHER or time.monotonic() - self._since > _LONGEST_TOGETHER_S

    def _record(self, label: str, tell: Callable[[Collected], None]) -> list[Collected]:
        """Record what is waiting, and tell of it.

        Raises:
            NotWrittenError: the disk is full; then nothing of it is recorded.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        self._store.settle()
        try:
            with _disk_told(self._ledger), self._ledger.writing() as session:
                self._known.refresh(session)
                decided = [one if isinstance(one, Collected) else self._decide(session, one, label) for one in waiting]
                session.flush()
                self._known.recorded(session)
        except BaseException:
            self._known.forget()
            raise
        made = [one if isinstance(one, Collected) else one() for one in decided]
        for one in made:
            tell(one)
        return made

    def _decide(self, session: Session, taken: _Taken, label: str) -> Callable[[], Collected]:
        """Add what is new; return what gives the outcome, once numbers are known."""
        whose, found = taken.whose, taken.found
        if found.group and found.group in self._known.groups:
            whose = _of_group(self._known.groups[found.group], whose)
        students = sorted({member for student in whose.students for member in self._known.together(student)})
        origin = f"{label}:{found.key}"
        mine = self._known.of(students)
        known = self._known.same(taken.sha256, origin, students)
        if known is not None:
            if students and not known.is_recognised:  # it waited for a student who is in the roster by now
                self._recognise(session, known, whose.how, students)
                return partial(_collected, known.row, taken, whose, students, again=bool(mine))
            if not any(known.row.received < one.row.received < taken.received for one in mine):
                return partial(_known_already, known, taken, whose, students)
            origin = returned(origin, taken.received)  # back to what was handed in before the newest
        row = SubmissionRow(
            assignment=self._assignment,
            sha256=taken.sha256,
            name=found.name[:_MOST_NAME],
            origin=origin,
            received=taken.received,
            collected=self._author.at,
            notes=[note for note in (whose.problem, *found.notes) if note],
        )
        if students:
            row.recognitions = [_recognition(whose.how, students, self._author)]
        session.add(row)
        self._known.add(row, students)
        return partial(_collected, row, taken, whose, students, again=bool(mine))

    def _recognise(self, session: Session, known: Known, how: str, students: list[str]) -> None:
        self._known.recognise(known, students)
        if known.row.id is None:
            known.row.recognitions = [_recognition(how, students, self._author)]
        else:
            session.add(_recognition(how, students, self._author, known.row.id))

    def _whose(self, found: Found, matcher: Matcher) -> _Whose:
        """Return whose it is, and why that is doubtful where the source or what was packed says so."""
        if found.doubt:
            return _Whose((), candidates=found.candidates, problem=found.doubt)
        packed = manifests_in(found.files)
        told = tuple(dict.fromkeys(manifest.id for manifest in packed))
        others = [one.assignment for one in packed if one.assignment != self._assignment]
        if others:
            problem = text("collect.other_assignment", assignment=others[0], ids=", ".join(told))
            return _Whose((), candidates=told, problem=problem)
        if len(told) > 1:
            return _Whose((), candidates=told, problem=text("collect.several_packed", ids=", ".join(told)))
        if found.submitters:
            return _of_several(found, told, matcher)
        match = matcher.match(next(iter(told), ""), found.aliases, found.texts)
        return _Whose((match.student,) if match.student else (), match.how, match.candidates)


def _remembered(source: Source) -> Iterator[Found | Refused]:
    """Yield what a source finds; what it says of that can be said in another language later."""
    found = iter(source)
    while True:
        with remembering():
            one = next(found, None)
        if one is None:
            return
        yield one


def _of_group(members: Sequence[str], whose: _Whose) -> _Whose:
    """Return whose something is that has a group's name.

    SECURITY: where other signs point to somebody else, a human decides. An LMS's number of a group may be a student's
    elsewhere; and in some of them students choose what they are called.
    """
    if strangers := {*whose.students, *whose.candidates}.difference(members):
        return _Whose((), candidates=tuple(sorted({*members, *strangers})))
    return _Whose(tuple(members), "group")


def _of_several(found: Found, told: tuple[str, ...], matcher: Matcher) -> _Whose:
    matches = [matcher.match("", one.aliases, one.texts) for one in found.submitters]
    students = tuple(dict.fromkeys(match.student for match in matches if match.student))
    strangers = [one for one, match in zip(found.submitters, matches, strict=True) if match.student is None]
    if strangers:
        candidates = tuple(dict.fromkeys((*students, *(who for match in matches for who in match.candidates))))
        if len(found.submitters) == 1:
            return _Whose((), candidates=candidates)
        name = next(filter(None, reversed(strangers[0].texts)), "")
        return _Whose((), candidates=candidates, problem=text("archives.stranger", name=name))
    if set(told) - set(students):
        return _Whose((), candidates=tuple(dict.fromkeys((*students, *told))))
    return _Whose(students, matches[0].how)


@contextmanager
def _disk_told(ledger: Ledger) -> Iterator[None]:
    """Turn what SQLite raises on a full disk into an error for people."""
    try:
        yield
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & _PRIMARY
        if code in _DISK_ERRORS:
            raise not_written(ledger.path, error.orig) from None
        raise


def _known_already(known: Known, taken: _Taken, whose: _Whose, students: Sequence[str]) -> Collected:
    return Collected("known", taken.found.name, known.row.id, tuple(students), whose.how, known.row.received)


def _collected(row: SubmissionRow, taken: _Taken, whose: _Whose, students: Sequence[str], *, again: bool) -> Collected:
    notes = taken.found.notes
    if not students:
        outcome: Outcome = "doubtful" if whose.candidates or whose.problem else "unmatched"
        problem, candidates = whose.problem, whose.candidates
        return Collected(
            outcome, row.name, row.id, received=row.received, problem=problem, candidates=candidates, notes=notes
        )
    return Collected(
        "again" if again else "new", row.name, row.id, tuple(students), whose.how, row.received, notes=notes
    )


_MOST_NAME = 200  # what the ledger has room for


def matched_students(session: Session) -> tuple[Student, ...]:
    """Return the students by the names that they are recognised by."""
    return tuple(
        Student(student.id, student.name, frozenset((alias.source, alias.alias) for alias in student.aliases))
        for student in people.all_students(session)
    )


def assign(session: Session, submission: SubmissionRow, students: list[StudentRow], author: people.Author) -> None:
    """Say by hand whose a submission is; nobody's: it is set aside and counts for nobody."""
    how = "hand" if students else "set aside"
    session.add(_recognition(how, [student.id for student in students], author, submission.id))


def _recognition(how: str, students: list[str], author: people.Author, submission_id: int | None = None) -> Recognition:
    """Return whose a submission is; one that is being recorded tells its number by itself."""
    owned = [HandedInBy(student_id=student) for student in students]
    return Recognition(submission_id=submission_id, how=how, who=author.who, at=author.at, students=owned)
