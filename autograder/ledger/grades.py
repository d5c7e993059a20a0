"""What is in force: for each student which submission counts, what it scored, what humans decided, what lateness costs.

Derived from the rows each time. Order of what counts: checks' scores, decisions about single checks, the late policy,
and last a decision about the assignment as a whole, which nothing is taken from any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from autograder.late_policy import Extension, HandIn, LatePolicy, Settled, Work, may_count, settle
from autograder.ledger.corrections import corrected_times, received_at
from autograder.ledger.extensions import in_force
from autograder.ledger.models import (
    HandedInBy,
    Override,
    Recognition,
    SubmissionRow,
)
from autograder.ledger.people import StudentRow, students_by_number
from autograder.ledger.records import (
    CheckPoints,
    Graded,
    HandedIn,
    attempts_in_force,
    checks_of,
    in_parts,
    points_by_task,
    unreadable,
)


class Rules(NamedTuple):
    """What course.yml says of an assignment."""

    assignment: str
    due: datetime | None
    max_points: float
    policy: LatePolicy


@dataclass(frozen=True)
class Grade:
    """One student's grade for one assignment."""

    student: StudentRow
    assignment: str
    max_points: float
    submission: HandedIn | None = None
    """The one that counts; None: nothing was handed in."""
    attempt: Graded | None = None
    """None: not graded yet, or it can't be."""
    unreadable: str = ""
    """Why it can't be graded: then it has 0 points, unless somebody decides otherwise."""
    settled: Settled | None = None
    decisions: tuple[Override, ...] = ()
    """Those in force."""

    @property
    def score(self) -> float | None:
        """Points before lateness, with decisions about single checks; None: no grade yet."""
        return self.settled.hand_in.score if self.settled else None

    @property
    def final(self) -> float | None:
        """The points that count; None: no grade yet. Who handed in nothing has 0 only where somebody decides so."""
        for decision in self.decisions:
            if decision.check_id is None:
                return decision.points
        return self.settled.final if self.settled else None


def grades(session: Session, rules: Sequence[Rules]) -> dict[str, list[Grade]]:
    """Return every student's grade for each assignment, in the order of the student numbers.

    Args:
        session: of the ledger.
        rules: of all assignments of the course: slip days are spent over all of them.
    """
    return _grades(session, rules, None)


def grades_of(session: Session, rules: Sequence[Rules], assignment: str) -> list[Grade]:
    """Return every student's grade for one assignment.

    Args:
        session: of the ledger.
        rules: of all assignments of the course.
        assignment: its id.
    """
    # Without slip days the other assignments have no part in it, and need not be read.
    alone = all(rule.policy.slip_days == 0 for rule in rules)
    asked = [rule for rule in rules if rule.assignment == assignment] if alone else rules
    return _grades(session, asked, assignment if alone else None)[assignment]


def _grades(session: Session, rules: Sequence[Rules], assignment: str | None) -> dict[str, list[Grade]]:
    students = students_by_number(session)
    owned = _submissions_by_student(session, assignment)
    recorded = _recorded(session, owned, assignment)
    found: dict[str, list[Grade]] = {rule.assignment: [] for rule in rules}
    for student in students:
        mine = owned[student.id]
        settled = settle([recorded.work(rule, student.id, mine) for rule in rules])
        by_id = {one.id: one for one in mine}
        for rule in rules:
            chosen = settled.get(rule.assignment)
            found[rule.assignment].append(
                Grade(
                    student=student,
                    assignment=rule.assignment,
                    max_points=rule.max_points,
                    submission=by_id[chosen.hand_in.id] if chosen else None,
                    attempt=recorded.attempts.get(chosen.hand_in.id) if chosen else None,
                    unreadable=recorded.unreadable.get(chosen.hand_in.id, "") if chosen else "",
                    settled=chosen,
                    decisions=tuple(one for one in recorded.decided[student.id] if one.assignment == rule.assignment),
                )
            )
    return found


@dataclass(frozen=True)
class _Recorded:
    """What the ledger has, as far as grades hang on it."""

    attempts: Mapping[int, Graded]
    checks: Mapping[int, list[CheckPoints]]
    decided: defaultdict[str, list[Override]]
    extended: Extended
    corrected: Mapping[int, datetime]
    unreadable: Mapping[int, str]
    """Of the submissions without an attempt."""

    def work(self, rule: Rules, student_id: str, rows: Iterable[HandedIn]) -> Work:
        """Return what a student has handed in for an assignment."""
        hand_ins = (
            HandIn(row.id, received_at(row, self.corrected), self._score(row, student_id))
            for row in rows
            if row.assignment == rule.assignment
        )
        given = given_to(student_id, rule.assignment, self.extended)
        return Work(rule.assignment, rule.due, rule.max_points, rule.policy, tuple(hand_ins), tuple(given))

    def _score(self, row: HandedIn, student_id: str) -> float | None:
        attempt = self.attempts.get(row.id)
        if attempt is None:
            return 0.0 if row.id in self.unreadable else None
        about = [one for one in self.decided[student_id] if one.assignment == row.assignment and one.check_id]
        return score_with(self.checks[attempt.id], about) if about else attempt.score


def _recorded(session: Session, owned: Mapping[str, list[HandedIn]], assignment: str | None) -> _Recorded:
    attempts, decided = attempts_in_force(session, assignment), decisions_in_force(session)
    return _Recorded(
        attempts=attempts,
        checks=checks_of(session, _decided_about(owned, attempts, decided)),
        decided=decided,
        extended=extensions(session),
        corrected=corrected_times(session),
        unreadable={number: why for number, why in unreadable(session).items() if number not in attempts},
    )


def tasks_of(session: Session, assignment: str, found: Iterable[Grade]) -> dict[str, dict[str, float]]:
    """Return what each task earned, with what was decided about its checks, by student; none where nothing is graded.

    Args:
        session: of the ledger.
        assignment: its id.
        found: everybody's grades for it.
    """
    graded = {grade.student.id: (grade.attempt.id, grade.decisions) for grade in found if grade.attempt}
    by_attempt = points_by_task(session, assignment)
    decided = {student: given for student, given in graded.items() if any(one.check_id for one in given[1])}
    checks = checks_of(session, {number for number, _ in decided.values()})
    return {student: by_attempt.get(number, {}) for student, (number, _) in graded.items()} | {
        student: _tasks_with(checks[number], decisions) for student, (number, decisions) in decided.items()
    }


def _tasks_with(checks: Iterable[CheckPoints], decisions: Sequence[Override]) -> dict[str, float]:
    found: dict[str, float] = {}
    for check in checks:
        found[check.task] = found.get(check.task, 0.0) + score_with([check], decisions)
    return found


def facts_of(grade: Grade) -> dict[str, float | str | None]:
    """Return what can be asked of a grade by `--where`, and what an export says of it."""
    attempt, settled = grade.attempt, grade.settled
    return {
        "id": grade.student.id,
        "section": grade.student.section,
        "score": grade.score,
        "final": grade.final,
        "late": float(settled.days_late) if settled else None,
        "status": attempt.status if attempt else "unreadable" if grade.unreadable else None,
        "framework": attempt.framework if attempt else None,
    }


def to_grade(session: Session, rules: Sequence[Rules], assignment: str) -> dict[int, tuple[HandedIn, list[str]]]:
    """Return the submissions that need a grade, by their numbers, with whose they are.

    Those that count; where the best of several counts, all that may turn out to be it.
    """
    (rule,) = [one for one in rules if one.assignment == assignment]
    found: dict[int, tuple[HandedIn, list[str]]] = {}
    owned, extended = _submissions_by_student(session, assignment), extensions(session)
    corrected = corrected_times(session)
    for student_id, rows in sorted(owned.items()):
        mine = {row.id: row for row in rows}
        hand_ins = tuple(HandIn(row.id, received_at(row, corrected), None) for row in mine.values())
        given = given_to(student_id, assignment, extended)
        work = Work(rule.assignment, rule.due, rule.max_points, rule.policy, hand_ins, tuple(given))
        for number in may_count(work):
            found.setdefault(number, (mine[number], []))[1].append(student_id)
    return found


def score_with(checks: Iterable[CheckPoints], decisions: Iterable[Override]) -> float:
    """Return what checks earn with what was decided about them."""
    points = {one.check_id: one.points for one in decisions}
    return sum(decided if (decided := points.get(check.check_id)) is not None else check.score for check in checks)


def owners(session: Session, submissions: Iterable[int]) -> dict[int, Recognition]:
    """Return whose each of these submissions is, by its number: the newest word about it."""
    found: dict[int, Recognition] = {}
    for some in in_parts(submissions):
        about = Recognition.submission_id.in_(some)
        newest = select(func.max(Recognition.id)).where(about).group_by(Recognition.submission_id)
        asked = select(Recognition).where(Recognition.id.in_(newest)).options(selectinload(Recognition.students))
        found |= {one.submission_id: one for one in session.scalars(asked)}
    return found


def unclaimed(session: Session, assignment: str) -> list[SubmissionRow]:
    """Return the submissions that nobody was recognised for, and nobody has set aside."""
    recognised = select(Recognition.id).where(Recognition.submission_id == SubmissionRow.id).exists()
    asked = select(SubmissionRow).where(SubmissionRow.assignment == assignment, ~recognised)
    return list(session.scalars(asked.order_by(SubmissionRow.id)))


def submissions_of(session: Session, assignment: str, students: Iterable[str]) -> list[HandedIn]:
    """Return what belongs to any of these students now, the oldest first."""
    owned = _submissions_by_student(session, assignment)
    found = {row.id: row for student in students for row in owned[student]}
    return [found[number] for number in sorted(found)]


def _submissions_by_student(session: Session, assignment: str | None = None) -> defaultdict[str, list[HandedIn]]:
    # Joined, not `in`: with a condition beside it SQLite would work it out once for each submission.
    newest = select(func.max(Recognition.id).label("id")).group_by(Recognition.submission_id).subquery()
    asked = (
        select(HandedInBy.student_id, *(getattr(SubmissionRow, name) for name in HandedIn._fields))
        .join(newest, HandedInBy.recognition_id == newest.c.id)
        .join(Recognition, Recognition.id == newest.c.id)
        .join(SubmissionRow, Recognition.submission_id == SubmissionRow.id)
    )
    rows = session.execute(asked if assignment is None else asked.where(SubmissionRow.assignment == assignment))
    owned: defaultdict[str, list[HandedIn]] = defaultdict(list)
    for student_id, *row in rows:
        owned[student_id].append(HandedIn(*row))
    return owned


def _decided_about(
    owned: Mapping[str, list[HandedIn]], attempts: Mapping[int, Graded], decided: Mapping[str, list[Override]]
) -> set[int]:
    """Return the attempts of students about whose checks somebody has decided: only they are added up anew."""
    students = {number for number, decisions in decided.items() if any(one.check_id for one in decisions)}
    return {attempts[row.id].id for number in students for row in owned[number] if row.id in attempts}


def decisions_in_force(session: Session) -> defaultdict[str, list[Override]]:
    """Return what humans decided and nobody has taken back, by student."""
    newest = select(func.max(Override.id)).group_by(Override.student_id, Override.assignment, Override.check_id)
    found: defaultdict[str, list[Override]] = defaultdict(list)
    for one in session.scalars(select(Override).where(Override.id.in_(newest), Override.points.is_not(None))):
        found[one.student_id].append(one)
    return found


Extended = defaultdict[tuple[str, str | None], list[Extension]]
"""What time students were given, by student and assignment; of every assignment under None."""


def given_to(student_id: str, assignment: str, extended: Extended) -> list[Extension]:
    """Return what time a student was given for an assignment, those of every assignment too."""
    return extended[student_id, assignment] + extended[student_id, None]


def extensions(session: Session) -> Extended:
    """Return what time all students were given, and nobody has taken back."""
    found: Extended = defaultdict(list)
    for row in in_force(session):
        found[row.student_id, row.assignment].append(Extension(row.days, row.until))
    return found
