"""Reports as rows, and rows as reports: what comes back is equal to what was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, func, select
from sqlalchemy.orm import Session

from autograder.ledger.models import Attempt, CheckRow, MetricRow, SubmissionRow, Unreadable
from autograder.messages.remembered import Remembered
from autograder.results import CheckResult, MetricResult, Report, Status

_OWN_COLUMNS = {"id", "task", "title", "status", "score", "max_points", "hidden", "metrics"}


class Circumstances(NamedTuple):
    """What a report does not say of its attempt."""

    key: str
    measured: str
    assignment_sha256: str
    host: str
    limits: dict[str, Any]
    rescored_from: int | None = None


def record(session: Session, submission_id: int, report: Report, circumstances: Circumstances) -> Attempt:
    """Append an attempt."""
    attempt = Attempt(
        submission_id=submission_id,
        checks_sha256=report.checks_sha256,
        status=report.status.value,
        score=report.score,
        max_points=report.max_points,
        isolation=report.isolation,
        device=report.device,
        started=datetime.fromisoformat(report.started_at),
        report=report.model_dump(mode="json", exclude={"checks", "metrics"}),
        checks=[check_row(position, check) for position, check in enumerate(report.checks)],
        **circumstances._asdict(),
    )
    session.add(attempt)
    return attempt


def report_of(attempt: Attempt) -> Report:
    """Return the report that was recorded."""
    checks = tuple(check_of(row) for row in attempt.checks)
    metrics = {name: metric for check in checks for name, metric in check.metrics.items()}
    return Report.model_validate(attempt.report | {"checks": checks, "metrics": metrics})


def check_of(row: CheckRow) -> CheckResult:
    """Return the result of one check that was recorded."""
    metrics = {metric.name: MetricResult.model_validate(metric.result) for metric in row.metrics}
    return CheckResult.model_validate(
        row.told
        | {
            "id": row.check_id,
            "task": row.task,
            "title": row.title,
            "status": row.status,
            "score": row.score,
            "max_points": row.max_points,
            "hidden": row.hidden,
            "metrics": metrics,
        }
    )


class HandedIn(NamedTuple):
    """What was handed in once, without its notes and what belongs to it: a course has ten thousand of those."""

    id: int
    assignment: str
    sha256: str
    name: str
    received: datetime


class Graded(NamedTuple):
    """An attempt that is a grade, without its checks: a course has a hundred thousand of those."""

    id: int
    submission_id: int
    status: str
    score: float
    framework: str


class CheckPoints(NamedTuple):
    """What a check of an attempt earned."""

    attempt_id: int
    check_id: str
    task: str
    score: float
    max_points: float
    hidden: bool = False


def attempts_in_force(session: Session, assignment: str | None = None) -> dict[int, Graded]:
    """Return the newest attempt that is a grade, by its submission; at one assignment or all.

    `internal` is our fault and no grade: what was known before stays, and where nothing was, there is none.
    """
    newest = _newest_grades()
    framework = func.coalesce(Attempt.report["framework"].as_string(), "")
    asked = select(Attempt.id, Attempt.submission_id, Attempt.status, Attempt.score, framework)
    asked = asked.join(newest, Attempt.id == newest.c.id)
    if assignment is not None:
        asked = asked.join(SubmissionRow).where(SubmissionRow.assignment == assignment)
    return {attempt.submission_id: attempt for attempt in starmap(Graded, session.execute(asked))}


def checks_of(session: Session, attempts: Iterable[int]) -> dict[int, list[CheckPoints]]:
    """Return what the checks of these attempts earned, by the attempt, in the order that they ran in."""
    found: dict[int, list[CheckPoints]] = {}
    columns = (getattr(CheckRow, name) for name in CheckPoints._fields)
    asked = select(*columns).order_by(CheckRow.attempt_id, CheckRow.position)
    for some in in_parts(attempts):
        for row in session.execute(asked.where(CheckRow.attempt_id.in_(some))):
            found.setdefault(row.attempt_id, []).append(CheckPoints(*row))
    return found


def points_by_task(session: Session, assignment: str) -> dict[int, dict[str, float]]:
    """Return what each task earned in the attempts at an assignment that are grades, by the attempt.

    The database adds it up: the checks of a class are a hundred thousand rows, its tasks a tenth of that.
    """
    newest = _newest_grades()
    asked = (
        select(CheckRow.attempt_id, CheckRow.task, func.sum(CheckRow.score))
        .join(newest, CheckRow.attempt_id == newest.c.id)
        .join(SubmissionRow, SubmissionRow.id == newest.c.submission_id)
        .where(SubmissionRow.assignment == assignment)
        .group_by(CheckRow.attempt_id, CheckRow.task)
    )
    found: dict[int, dict[str, float]] = {}
    for number, task, points in session.execute(asked):
        found.setdefault(number, {})[task] = points
    return found


def in_parts(numbers: Iterable[int]) -> Iterator[list[int]]:
    """Yield numbers, as many at a time as one query can name: databases set a limit, of tens of thousands."""
    every = list(numbers)
    for start in range(0, len(every), _MOST_NAMED):
        yield every[start : start + _MOST_NAMED]


_MOST_NAMED = 5000


class Tried(NamedTuple):
    """An attempt that is a grade, as planning looks at it."""

    id: int
    submission_id: int
    key: str
    measured: str
    status: str
    score: float
    max_points: float
    duration_s: float


def attempts_at(session: Session, assignment: str) -> dict[int, list[Tried]]:
    """Return the attempts at an assignment that are grades, by their submission, the newest first."""
    duration_s = func.coalesce(Attempt.report["duration_s"].as_float(), 0.0)
    told = (getattr(Attempt, name) for name in Tried._fields[:-1])
    asked: Select[Any] = (
        select(*told, duration_s)
        .join(SubmissionRow)
        .where(SubmissionRow.assignment == assignment, _is_grade())
        .order_by(Attempt.id.desc())
    )
    found: dict[int, list[Tried]] = {}
    for row in session.execute(asked):
        found.setdefault(row.submission_id, []).append(Tried(*row))
    return found


def unreadable(session: Session) -> dict[int, str]:
    """Return why no attempt can be made at submissions, by their numbers, as it was found out last."""
    newest = select(func.max(Unreadable.id)).group_by(Unreadable.submission_id)
    rows = session.scalars(select(Unreadable).where(Unreadable.id.in_(newest)))
    return {row.submission_id: row.why() for row in rows}


def record_unreadable(session: Session, found: Mapping[int, str], host: str, at: datetime) -> None:
    """Note why no attempt can be made at submissions, where that is not noted yet.

    Args:
        session: of the ledger.
        found: why, by the submissions' numbers; what remembers its words can be told in another language.
        host: that found it out.
        at: when.
    """
    known = unreadable(session)
    session.add_all(
        Unreadable(submission_id=number, problem=str(problem), said=_recipe(problem), host=host, at=at)
        for number, problem in found.items()
        if known.get(number) != problem
    )


def _recipe(problem: str) -> dict[str, Any] | None:
    return problem.recipe if isinstance(problem, Remembered) else None


def _newest_grades() -> Subquery:
    # Joined, and not `in`: with a condition beside it SQLite would work it out once for each row.
    newest = select(func.max(Attempt.id).label("id"), Attempt.submission_id).where(_is_grade())
    return newest.group_by(Attempt.submission_id).subquery()


def _is_grade() -> ColumnElement[bool]:
    return Attempt.status != Status.INTERNAL.value


def check_row(position: int, check: CheckResult) -> CheckRow:
    """Return a check's result as a row, which is an attempt's once it is told which."""
    return CheckRow(
        position=position,
        check_id=check.id,
        task=check.task,
        title=check.title,
        status=check.status.value,
        score=check.score,
        max_points=check.max_points,
        hidden=check.hidden,
        told=check.model_dump(mode="json", exclude=_OWN_COLUMNS),
        metrics=[MetricRow(name=name, result=metric.model_dump(mode="json")) for name, metric in check.metrics.items()],
    )
