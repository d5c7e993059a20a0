"""What the ledger has of an assignment already, in memory: two thousand files are not two thousand times looked up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autograder.ledger import people
from autograder.ledger.grades import owners
from autograder.ledger.models import HandedInBy, Recognition, SubmissionRow


@dataclass
class Known:
    """A submission that is in the ledger, or that will be at the end of the transaction."""

    row: SubmissionRow
    owners: frozenset[str]
    """Whose it is, by the newest word about it."""
    is_recognised: bool
    """Somebody or something has said whose it is, if only nobody's."""
    order: int
    """In which they came."""

    @property
    def age(self) -> tuple[datetime, int]:
        """What the newest is found by."""
        return self.row.received, self.order


class KnownSubmissions:
    """The submissions to one assignment, and who hands in together.

    Args:
        assignment: that they are for.
    """

    def __init__(self, assignment: str) -> None:
        self._assignment = assignment
        self._as_of: tuple[object, ...] | None = None
        self._order = 0
        self._by_origin: dict[tuple[str, str], list[Known]] = {}
        self._by_student: dict[str, dict[int, Known]] = {}
        self.groups: dict[str, list[str]] = {}
        """By their names."""
        self._group_of: dict[str, list[str]] = {}

    def refresh(self, session: Session) -> None:
        """Look up what others have written since; within a transaction that keeps them from writing more."""
        self.groups = people.groups_of(session, self._assignment)
        self._group_of = {student: members for members in self.groups.values() for student in members}
        if self._as_of != _newest(session):
            self._load(session)

    def recorded(self, session: Session) -> None:
        """Take what was added as known: it is written."""
        self._as_of = _newest(session)

    def forget(self) -> None:
        """Look up everything anew, the next time."""
        self._as_of = None

    def _load(self, session: Session) -> None:
        self._as_of, self._order = _newest(session), 0
        self._by_origin, self._by_student = {}, {}
        asked = select(SubmissionRow).where(SubmissionRow.assignment == self._assignment).order_by(SubmissionRow.id)
        rows = list(session.scalars(asked))
        belongs = owners(session, (row.id for row in rows))
        ever = _ever_of(session, self._assignment)
        for row in rows:
            word = belongs.get(row.id)
            owned = frozenset(one.student_id for one in word.students) if word else frozenset()
            self._remember(Known(row, owned, word is not None, self._order), ever[row.id])

    def _remember(self, known: Known, students: Iterable[str]) -> None:
        self._order += 1
        known.order = self._order
        self._by_origin.setdefault((known.row.sha256, _place(known.row)), []).append(known)
        self._name(known, students)

    def _name(self, known: Known, students: Iterable[str]) -> None:
        for student in students:
            self._by_student.setdefault(student, {})[known.order] = known

    def together(self, student: str) -> list[str]:
        """Return the numbers of all who hand in with a student, the student included."""
        return self._group_of.get(student, [student])

    def same(self, sha256: str, origin: str, students: Sequence[str]) -> Known | None:
        """Return the newest submission that files are already: from the same place, or by the same students."""
        found = list(self._by_origin.get((sha256, origin), []))
        if students:
            own = self._by_student.get(students[0], {}).values()
            found += [one for one in own if one.row.sha256 == sha256 and one.owners.issuperset(students)]
        return max(found, key=lambda one: one.age, default=None)

    def of(self, students: Iterable[str]) -> list[Known]:
        """Return what was ever said to be of one of these students."""
        return [known for student in students for known in self._by_student.get(student, {}).values()]

    def add(self, row: SubmissionRow, students: Sequence[str]) -> None:
        """Remember a row that is being recorded."""
        self._remember(Known(row, frozenset(students), bool(students), 0), students)

    def recognise(self, known: Known, students: Sequence[str]) -> None:
        """Remember whose a submission is by now."""
        known.owners, known.is_recognised = frozenset(students), True
        self._name(known, students)


def returned(origin: str, received: datetime) -> str:
    """Return the place of files that somebody went back to: what is recorded once keeps its own."""
    return f"{origin}@{received.astimezone(UTC).isoformat()}"


def _place(row: SubmissionRow) -> str:
    """Return where a submission came from, without the mark that it was gone back to."""
    return row.origin.removesuffix(returned("", row.received))


def _newest(session: Session) -> tuple[object, ...]:
    """Return what changes with every submission and every word about one: rows are only ever appended."""
    return (session.scalar(select(func.max(SubmissionRow.id))), session.scalar(select(func.max(Recognition.id))))


def _ever_of(session: Session, assignment: str) -> defaultdict[int, list[str]]:
    asked = (
        select(Recognition.submission_id, HandedInBy.student_id)
        .join(HandedInBy)
        .join(SubmissionRow, Recognition.submission_id == SubmissionRow.id)
        .where(SubmissionRow.assignment == assignment)
        .distinct()
    )
    found: defaultdict[int, list[str]] = defaultdict(list)
    for submission, student in session.execute(asked):
        found[submission].append(student)
    return found
