"""Reports as rows, and rows as reports: what comes back is equal to what was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from autograder.ledger.models import Attempt, CheckRow, MetricRow
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
        checks=[_check_row(position, check) for position, check in enumerate(report.checks)],
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


def attempts_in_force(session: Session, submissions: Iterable[int]) -> dict[int, Attempt]:
    """Return each submission's newest attempt that is a grade, with its checks.

    `internal` is our fault and no grade: what was known before stays, and where nothing was, there is none.
    """
    newest = (
        select(func.max(Attempt.id))
        .where(Attempt.status != Status.INTERNAL.value, Attempt.submission_id.in_(list(submissions)))
        .group_by(Attempt.submission_id)
    )
    loaded = selectinload(Attempt.checks).selectinload(CheckRow.metrics)
    found = session.scalars(select(Attempt).where(Attempt.id.in_(newest)).options(loaded))
    return {attempt.submission_id: attempt for attempt in found}


def _check_row(position: int, check: CheckResult) -> CheckRow:
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
