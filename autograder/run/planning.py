"""What is to be done: for each submission that counts or may count, nothing, scoring anew, or an attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from autograder.collect.store import Store
from autograder.course import LoadedAssignment
from autograder.errors import GradeError
from autograder.judge.session import AttemptOptions
from autograder.ledger.models import Attempt, SubmissionRow
from autograder.results import Status
from autograder.run.keys import Key, key_of
from autograder.submission import Submission, from_files

Task = Literal["known", "score", "run", "unreadable"]


class Chosen(NamedTuple):
    """Which submissions are meant; nothing said: all."""

    students: tuple[str, ...] = ()
    where: str = ""
    sample: int | None = None


@dataclass(frozen=True, eq=False)  # each is one of a kind
class Work:
    """One submission, and what is to be done with it."""

    task: Task
    row: SubmissionRow
    students: tuple[str, ...]
    submission: Submission | None = None
    key: Key | None = None
    attempt_id: int | None = None
    """The attempt that is known, or to be scored anew."""
    problem: str = ""
    """Why it can't be checked at all: there is no code in it, or several files that could be meant."""
    expected_s: float = 0.0
    """How long the last attempt took; longest first keeps all cores busy to the end."""


@dataclass(frozen=True)
class Planner:
    """Finds out what is to be done.

    Args:
        store: of the files.
        assignment: what is checked.
        options: how attempts are made.
        isolation: of the boxes.
    """

    store: Store
    assignment: LoadedAssignment
    options: AttemptOptions
    isolation: str

    def plan(self, session: Session, rows: Mapping[int, tuple[SubmissionRow, tuple[str, ...]]]) -> list[Work]:
        """Return what is to be done, the longest first.

        Args:
            session: of the ledger.
            rows: submissions by their numbers, with whose they are.
        """
        known = _attempts(session, rows)
        works = [self._work(row, students, known.get(row.id, [])) for row, students in rows.values()]
        return sorted(works, key=lambda work: (-work.expected_s, work.row.id))

    def _work(self, row: SubmissionRow, students: tuple[str, ...], known: Sequence[Attempt]) -> Work:
        try:
            submission = from_files(self.store.files(row.sha256), self.assignment, row.name, None)
        except GradeError as error:
            return Work("unreadable", row, students, problem=" ".join(filter(None, (error.message, error.hint))))
        key = key_of(self.assignment, submission, self.options, self.isolation)
        took_s = max((float(attempt.report["duration_s"]) for attempt in known), default=0.0)
        # The newest counts: an older one with this key is recorded once more, as one that was scored anew.
        if known and known[0].key == str(key):
            return Work("known", row, students, submission, key, known[0].id, expected_s=took_s)
        for attempt in known:
            if attempt.measured == key.measured:
                return Work("score", row, students, submission, key, attempt.id, expected_s=took_s)
        return Work("run", row, students, submission, key, expected_s=took_s)


def _attempts(session: Session, submissions: Mapping[int, object]) -> dict[int, list[Attempt]]:
    """Return the attempts that are grades, the newest first."""
    found: dict[int, list[Attempt]] = {}
    rows = session.scalars(
        select(Attempt)
        .where(Attempt.submission_id.in_(list(submissions)), Attempt.status != Status.INTERNAL.value)
        .order_by(Attempt.id.desc())
    )
    for row in rows:
        found.setdefault(row.submission_id, []).append(row)
    return found
