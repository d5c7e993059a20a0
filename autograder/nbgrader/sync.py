"""`grade nbgrader push` and `pull`: scores from the ledger to nbgrader's gradebook, graders' decisions back.

    ledger ── auto_score, when it came, what lateness costs ──▶ gradebook.db
    ledger ◀── manual_score and extra credit, as decisions ──── gradebook.db

A human's score in nbgrader is never written to, and wins on both sides. Doing either twice does nothing. All is read
with a few queries and written in one transaction, whatever the size of the class.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from autograder.course import LoadedAssignment
from autograder.errors import UsageError
from autograder.gradebook import Gradebook as Course
from autograder.ledger import people
from autograder.ledger.grades import Grade, grades, score_with
from autograder.ledger.models import Alias, Override, Student
from autograder.ledger.records import CheckPoints, checks_of
from autograder.messages import text
from autograder.notebook.generate import of_task

try:
    from nbgrader import api
    from sqlalchemy import insert, select, update
    from sqlalchemy.orm import Session
except ModuleNotFoundError as missing:  # a student's install has none of this
    raise UsageError(
        text("nbgrader.not_installed", package=missing.name), hint=text("nbgrader.not_installed_hint")
    ) from None

WHO = "nbgrader"  # who decides what graders have written there: nbgrader doesn't note which of them it was
_LEAST_POINTS = 1e-6  # less is rounding


class Pushed(NamedTuple):
    """What a push has done."""

    students: int
    """New in nbgrader's gradebook."""
    submissions: int
    """The same."""
    scores: int
    """Written or changed."""
    ungraded: int
    """Students without a grade."""
    whole: tuple[str, ...]
    """Students about whose assignment as a whole somebody has decided: nbgrader has no place for that."""


class Pulled(NamedTuple):
    """What a pull has done."""

    decisions: int
    """About cells: new or changed."""
    taken_back: int
    unknown: tuple[str, ...]
    """Students of nbgrader's who are not in the roster."""
    ungraded: tuple[str, ...]
    """Students with a manual score, but no attempt that it could be about."""


class _Cell(NamedTuple):
    """A cell of nbgrader's that is worth points, or is commented on."""

    id: str
    name: str
    notebook_id: str
    kind: str


class _Known(NamedTuple):
    """An assignment of nbgrader's."""

    id: str
    cells: list[_Cell]


def push(book: Course, gradebook: Any, assignment: LoadedAssignment, collected: Container[str] = ()) -> Pushed:
    """Write the scores that are in force to nbgrader's gradebook.

    Args:
        book: our course.
        gradebook: nbgrader's, open.
        assignment: of which.
        collected: whose hand-ins nbgrader has itself, by its names. When those came stays as it is: formgrader takes a
            notebook for graded only as long as the gradebook's time is that of its hand-in.

    Raises:
        UsageError: nbgrader does not know the assignment.
    """
    known = _cells(gradebook.db, assignment.id)
    with book.ledger.reading() as session:
        found = grades(session, book.rules())[assignment.id]
        graded = [one for one in found if one.attempt is not None and one.submission is not None]
        checks = checks_of(session, [one.attempt.id for one in graded if one.attempt])
        aliases = _aliases(session)
        return _Push(gradebook.db, assignment, known, aliases, collected).all(graded, checks, len(found) - len(graded))


class _Push:
    """One push, in one transaction."""

    def __init__(
        self,
        db: Any,
        assignment: LoadedAssignment,
        known: _Known,
        aliases: Mapping[str, set[str]],
        collected: Container[str],
    ) -> None:
        self._db, self._assignment, self._aliases, self._collected = db, assignment, aliases, collected
        self._assignment_id, self._cells = known

    def all(self, graded: Sequence[Grade], checks: Mapping[int, list[CheckPoints]], ungraded: int) -> Pushed:
        names = self._names(graded)
        students = self._add_students(graded, names)
        submissions = self._add_submissions(graded, names)
        scores = self._write_scores(graded, checks, names)
        self._db.commit()
        whole = [one.student.id for one in graded if any(decision.check_id is None for decision in one.decisions)]
        return Pushed(students, submissions, scores, ungraded, tuple(whole))

    def _names(self, graded: Iterable[Grade]) -> dict[str, str]:
        """Return what nbgrader calls each student: by the number, or by another name that it knows already."""
        known = set(self._db.scalars(select(api.Student.id)))
        made = {}
        for one in graded:
            number = one.student.id
            also = sorted(self._aliases.get(number, set()) & known)
            made[number] = number if number in known or not also else also[0]
        return made

    def _add_students(self, graded: Sequence[Grade], names: Mapping[str, str]) -> int:
        known = set(self._db.scalars(select(api.Student.id)))
        new = [
            {"id": names[one.student.id], "last_name": one.student.name, "email": one.student.email or None}
            for one in graded
            if names[one.student.id] not in known
        ]
        if new:
            self._db.execute(insert(api.Student), new)
        return len(new)

    def _add_submissions(self, graded: Sequence[Grade], names: Mapping[str, str]) -> int:
        """Add what is missing, and bring the times at which it came in step."""
        known = {row.student_id: row for row in self._submitted()}
        new, changed = [], []
        for one in graded:
            assert one.submission is not None  # noqa: S101 - so they were chosen
            came = one.submission.received.astimezone(UTC).replace(tzinfo=None)
            row = known.get(names[one.student.id])
            if row is None:
                new.append(
                    {
                        "id": api.new_uuid(),
                        "assignment_id": self._assignment_id,
                        "student_id": names[one.student.id],
                        "timestamp": came,
                    }
                )
            elif row.timestamp != came and row.student_id not in self._collected:
                changed.append({"id": row.id, "timestamp": came})
        if new:
            self._db.execute(insert(api.SubmittedAssignment), new)
            self._add_empty([row["id"] for row in new])
        if changed:
            self._db.execute(update(api.SubmittedAssignment), changed)
        return len(new)

    def _submitted(self) -> list[Any]:
        columns = (api.SubmittedAssignment.id, api.SubmittedAssignment.student_id, api.SubmittedAssignment.timestamp)
        mine = api.SubmittedAssignment.assignment_id == self._assignment_id
        return list(self._db.execute(select(*columns).where(mine)))

    def _add_empty(self, submissions: Iterable[str]) -> None:
        """Give new submissions what nbgrader gives them: a notebook, and a grade or a comment for each cell."""
        notebooks, scores, comments = [], [], []
        by_notebook: dict[str, list[_Cell]] = defaultdict(list)
        for cell in self._cells:
            by_notebook[cell.notebook_id].append(cell)
        for submission in submissions:
            for notebook, cells in by_notebook.items():
                number = api.new_uuid()
                notebooks.append({"id": number, "assignment_id": submission, "notebook_id": notebook, "flagged": False})
                for cell in cells:
                    row = {"id": api.new_uuid(), "cell_id": cell.id, "notebook_id": number}
                    if cell.kind != "SolutionCell":
                        scores.append({**row, "needs_manual_grade": True})
                    if cell.kind != "GradeCell":
                        comments.append(row)
        for table, rows in ((api.SubmittedNotebook, notebooks), (api.Grade, scores), (api.Comment, comments)):
            if rows:
                self._db.execute(insert(table), rows)

    def _write_scores(
        self, graded: Sequence[Grade], checks: Mapping[int, list[CheckPoints]], names: Mapping[str, str]
    ) -> int:
        known = _scores(self._db, self._assignment_id)
        changed, penalties = [], []
        for one in graded:
            assert one.attempt is not None  # noqa: S101 - so they were chosen
            ours = [decision for decision in one.decisions if decision.who != WHO]
            earned = _by_cell(self._assignment, checks[one.attempt.id])
            mine = known.get(names[one.student.id], [])
            for row in mine:
                if row.name not in earned:
                    continue
                score = min(score_with(earned[row.name], ours), row.max_score)
                if row.auto_score is None or not math.isclose(row.auto_score, score, abs_tol=_LEAST_POINTS):
                    # As nbgrader does: where a human has decided about another score than this, somebody has to look.
                    looked_at = row.manual_score is not None
                    changed.append({"id": row.id, "auto_score": score, "needs_manual_grade": looked_at})
                elif row.manual_score is None and row.needs_manual_grade:
                    changed.append({"id": row.id, "auto_score": score, "needs_manual_grade": False})
            penalties += self._penalty(one, mine)
        if changed:
            self._db.execute(update(api.Grade), changed)
        if penalties:
            self._db.execute(update(api.SubmittedNotebook), penalties)
        return len(changed)

    def _penalty(self, grade: Grade, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Return what lateness costs by the course's rules, in place of nbgrader's own penalty: it counts once."""
        costs = grade.settled.penalty if grade.settled and grade.settled.penalty else None
        found = {row.submitted_id: row.penalty for row in rows}
        # nbgrader takes it from each notebook; of several the first bears it.
        wanted = {number: costs if at == 0 else None for at, number in enumerate(sorted(found))}
        return [
            {"id": number, "late_submission_penalty": cost}
            for number, cost in wanted.items()
            if not _same(found[number], cost)
        ]


def _same(one: float | None, other: float | None) -> bool:
    return math.isclose(one or 0.0, other or 0.0, abs_tol=_LEAST_POINTS)


# --- back -------------------------------------------------------------------------------------------------------------


def pull(book: Course, gradebook: Any, assignment: LoadedAssignment) -> Pulled:
    """Take what graders have decided in nbgrader's gradebook into the ledger, where it is not there yet.

    Args:
        book: our course.
        gradebook: nbgrader's, open.
        assignment: of which.

    Raises:
        UsageError: nbgrader does not know the assignment.
    """
    assignment_id, _ = _cells(gradebook.db, assignment.id)
    theirs = _scores(gradebook.db, assignment_id)
    at = people.now()
    with book.ledger.writing() as session:
        mine = {one.student.id: one for one in grades(session, book.rules())[assignment.id]}
        checks = checks_of(session, [one.attempt.id for one in mine.values() if one.attempt])
        number_of = {name: number for number, names in _aliases(session).items() for name in names}
        decided = taken_back = 0
        unknown: list[str] = []
        ungraded: list[str] = []
        for name, rows in theirs.items():
            grade = mine.get(name) or mine.get(number_of.get(name, ""))
            by_hand = any(row.manual_score is not None or row.extra_credit for row in rows)
            if grade is None or grade.attempt is None:
                if by_hand:
                    (unknown if grade is None else ungraded).append(name)
                continue
            earned = _by_cell(assignment, checks[grade.attempt.id])
            for row in rows:
                new = _decisions(row, earned.get(row.name, []), grade, at)
                session.add_all(new)
                decided += bool(new) and new[0].points is not None
                taken_back += bool(new) and new[0].points is None
        return Pulled(decided, taken_back, tuple(unknown), tuple(ungraded))


def _decisions(row: Any, checks: Sequence[CheckPoints], grade: Grade, at: datetime) -> list[Override]:
    """Return the decisions about a cell's checks that its manual score comes to, where they are not in force yet."""
    before = {one.check_id: one for one in grade.decisions if one.who == WHO}
    mine = [check for check in checks if check.check_id in before]
    shared = {"assignment": grade.assignment, "student_id": grade.student.id, "who": WHO, "at": at}
    if row.manual_score is None and not row.extra_credit:
        why = text("nbgrader.pull.taken_back", cell=row.name)
        return [Override(check_id=one.check_id, points=None, why=why, **shared) for one in mine]
    base = row.manual_score if row.manual_score is not None else row.auto_score or 0.0
    points = base + (row.extra_credit or 0.0)
    if not checks or math.isclose(score_with(checks, grade.decisions), points, abs_tol=_LEAST_POINTS):
        return []
    # A decision is about a check, and a cell stands for several: each gets the same part of what it is worth.
    most = sum(check.max_points for check in checks)
    parts = [check.max_points / most if most else 1 / len(checks) for check in checks]
    why = text("nbgrader.pull.why", cell=row.name, points=f"{points:g}")
    return [
        Override(check_id=check.check_id, points=points * part, why=why, **shared)
        for check, part in zip(checks, parts, strict=True)
    ]


# --- both -------------------------------------------------------------------------------------------------------------


def _by_cell(assignment: LoadedAssignment, checks: Iterable[CheckPoints]) -> dict[str, list[CheckPoints]]:
    """Return the checks of each check cell, by its name."""
    task_of = {task.id: task for task in assignment.spec.tasks}
    found: dict[str, list[CheckPoints]] = defaultdict(list)
    for check in checks:
        if check.task in task_of:
            side = "hidden" if check.hidden else "public"
            found[f"{of_task(assignment, task_of[check.task])}-{side}"].append(check)
    return found


def _aliases(session: Session) -> dict[str, set[str]]:
    """Return the other names of the students, by their numbers; one that several have is nobody's."""
    owners: dict[str, set[str]] = defaultdict(set)
    for number, alias in session.execute(select(Alias.student_id, Alias.alias)):
        owners[alias].add(number)
    taken = set(session.scalars(select(Student.id)))
    made: dict[str, set[str]] = defaultdict(set)
    for alias, numbers in owners.items():
        if len(numbers) == 1 and alias not in taken:
            made[next(iter(numbers))].add(alias)
    return made


def _cells(db: Any, assignment_id: str) -> _Known:
    """Return an assignment as nbgrader's gradebook has it."""
    number = db.scalar(select(api.Assignment.id).where(api.Assignment.name == assignment_id))
    asked = select(api.BaseCell.id, api.BaseCell.name, api.BaseCell.notebook_id, api.BaseCell.type)
    mine = asked.join(api.Notebook, api.Notebook.id == api.BaseCell.notebook_id)
    cells = [_Cell(*row) for row in db.execute(mine.where(api.Notebook.assignment_id == number))] if number else []
    if not cells:
        raise UsageError(
            text("nbgrader.not_generated", id=assignment_id), hint=text("nbgrader.not_generated_hint", id=assignment_id)
        )
    return _Known(number, cells)


def _scores(db: Any, assignment_id: str) -> dict[str, list[Any]]:
    """Return the rows of all scores of an assignment, by nbgrader's student."""
    asked = (
        select(
            api.SubmittedAssignment.student_id,
            api.SubmittedNotebook.id.label("submitted_id"),
            api.SubmittedNotebook.late_submission_penalty.label("penalty"),
            api.Grade.id,
            api.GradeCell.name,
            api.GradeCell.max_score,
            api.Grade.auto_score,
            api.Grade.manual_score,
            api.Grade.extra_credit,
            api.Grade.needs_manual_grade,
        )
        .join(api.SubmittedNotebook, api.SubmittedNotebook.assignment_id == api.SubmittedAssignment.id)
        .join(api.Grade, api.Grade.notebook_id == api.SubmittedNotebook.id)
        .join(api.GradeCell, api.GradeCell.id == api.Grade.cell_id)
        .where(api.SubmittedAssignment.assignment_id == assignment_id)
    )
    found: dict[str, list[Any]] = defaultdict(list)
    for row in db.execute(asked):
        found[row.student_id].append(row)
    return found
