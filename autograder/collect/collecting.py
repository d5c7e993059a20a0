"""From a source into the ledger: keep the files, find out whose they are, record both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from autograder.collect.found import Found, Refused, Source
from autograder.collect.matching import Match, Matcher, Student
from autograder.collect.store import Store
from autograder.ledger import people
from autograder.ledger.database import Ledger
from autograder.ledger.grades import owners
from autograder.ledger.models import Event, HandedInBy, Recognition, SubmissionRow
from autograder.ledger.models import Student as StudentRow
from autograder.messages import text
from autograder.pack import MANIFEST, manifests_in

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
    notes: tuple[str, ...] = ()
    days_late: int = 0
    """By the deadline of the student; of several the latest."""


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

    def collect(self, source: Source, tell: Callable[[Collected], None]) -> list[Collected]:
        """Take everything, each thing in a transaction of its own: what is interrupted goes on where it was."""
        with self._ledger.reading() as session:
            matcher = Matcher(matched_students(session))
        made: list[Collected] = []
        for found in source:
            outcome = self._refused(found) if isinstance(found, Refused) else self._take(found, source.label, matcher)
            tell(outcome)
            made.append(outcome)
        counts: Counter[str] = Counter(one.outcome for one in made)
        with self._ledger.writing() as session:
            # What was refused is not in the store; that it came has to be known when a student asks.
            refused = [{"name": one.name, "problem": one.problem} for one in made if one.outcome == "refused"]
            about = {"assignment": self._assignment, "source": source.label, "refused_files": refused, **counts}
            session.add(Event(at=self._author.at, who=self._author.who, kind="collect", about=about))
        return made

    def _refused(self, found: Refused) -> Collected:
        return Collected("refused", found.name, problem=found.problem)

    def _take(self, found: Found, label: str, matcher: Matcher) -> Collected:
        files = {name: content for name, content in found.files.items() if name.rsplit("/", 1)[-1] != MANIFEST}
        sha256 = self._store.keep(files)
        match, problem = self._whose(found, matcher)
        received = self._received or found.received
        with self._ledger.writing() as session:
            students = people.group_of(session, self._assignment, match.student) if match.student else []
            mine = self._own(session, students)
            origin = f"{label}:{found.key}"
            known = self._known(session, sha256, origin, students)
            if known is not None:
                if students and not known.recognitions:  # it waited for a student who is in the roster by now
                    session.add(_recognition(match.how, students, self._author, known.id))
                    return _collected(known, match, students, problem, again=bool(mine))
                if not any(known.received < one.received < received for one in mine):
                    return Collected("known", found.name, known.id, tuple(students), match.how, known.received)
                origin += f"@{received.isoformat()}"  # back to what was handed in before the newest
            row = SubmissionRow(
                assignment=self._assignment,
                sha256=sha256,
                name=found.name,
                origin=origin,
                received=received,
                collected=self._author.at,
                notes=[*([problem] if problem else []), *found.notes],
            )
            if students:
                row.recognitions = [_recognition(match.how, students, self._author)]
            session.add(row)
            session.flush()
            return _collected(row, match, students, problem, again=bool(mine))

    def _whose(self, found: Found, matcher: Matcher) -> tuple[Match, str]:
        """Return whose it is, and why that is doubtful where the source or what was packed says so."""
        if found.doubt:
            return Match(None, candidates=found.candidates), found.doubt
        packed = manifests_in(found.files)
        told = dict.fromkeys(manifest.id for manifest in packed)
        match = matcher.match(next(iter(told), ""), found.aliases, found.texts)
        others = [one.assignment for one in packed if one.assignment != self._assignment]
        if others:
            problem = text("collect.other_assignment", assignment=others[0], ids=", ".join(told))
        elif len(told) > 1:
            problem = text("collect.several_packed", ids=", ".join(told))
        else:
            return match, ""
        return Match(None, candidates=tuple(told)), problem

    def _known(self, session: Session, sha256: str, origin: str, students: list[str]) -> SubmissionRow | None:
        """Return the newest submission that these files are already: from the same place, or by the same student."""
        same = select(SubmissionRow).where(SubmissionRow.assignment == self._assignment, SubmissionRow.sha256 == sha256)
        rows = session.scalars(same.order_by(SubmissionRow.received.desc(), SubmissionRow.id.desc())).all()
        belongs = owners(session, (row.id for row in rows))
        for row in rows:
            owned = {one.student_id for one in belongs[row.id].students} if row.id in belongs else set()
            if row.origin in {origin, f"{origin}@{row.received.isoformat()}"} or (
                students and owned.issuperset(students)
            ):
                return row
        return None

    def _own(self, session: Session, students: list[str]) -> list[SubmissionRow]:
        mine = (
            select(SubmissionRow)
            .join(Recognition)
            .join(HandedInBy)
            .where(SubmissionRow.assignment == self._assignment, HandedInBy.student_id.in_(students))
        )
        return list(session.scalars(mine.distinct()))


def _collected(row: SubmissionRow, match: Match, students: list[str], problem: str, *, again: bool) -> Collected:
    if not students:
        outcome: Outcome = "doubtful" if match.candidates or problem else "unmatched"
        made = Collected(outcome, row.name, row.id, received=row.received, problem=problem, candidates=match.candidates)
    else:
        made = Collected("again" if again else "new", row.name, row.id, tuple(students), match.how, row.received)
    return replace(made, notes=tuple(note for note in row.notes if note != problem))


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
