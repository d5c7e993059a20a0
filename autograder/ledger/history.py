"""Everything the ledger has about one student, in the order that it happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from autograder.ledger.extensions import takes_back
from autograder.ledger.models import (
    Attempt,
    ExtensionRow,
    HandedInBy,
    Override,
    Recognition,
    RegradeRequest,
    SubmissionRow,
)
from autograder.messages import text


class Entry(NamedTuple):
    """One thing that happened."""

    at: datetime
    assignment: str
    """Empty: it is about all of them."""
    kind: str
    said: str
    who: str

    def as_json(self) -> dict[str, str]:
        """Return it as `--json` prints it."""
        return self._asdict() | {"at": self.at.isoformat(timespec="seconds")}


def history_of(session: Session, student_id: str, zone: ZoneInfo) -> list[Entry]:
    """Return what happened, by the course's clock, the oldest first."""
    entries = [
        *_submissions(session, student_id, zone),
        *_decisions(session, student_id),
        *_extensions(session, student_id, zone),
        *_requests(session, student_id),
    ]
    return [one._replace(at=one.at.astimezone(zone)) for one in sorted(entries, key=lambda entry: entry.at)]


def _submissions(session: Session, student_id: str, zone: ZoneInfo) -> Iterator[Entry]:
    ever = (
        select(SubmissionRow)
        .join(Recognition)
        .join(HandedInBy)
        .where(HandedInBy.student_id == student_id)
        .distinct()
        .order_by(SubmissionRow.id)
    )
    for row in session.scalars(ever):
        said = text("ledger.log.submission", number=row.id, name=row.name, hash=row.sha256[:12], origin=row.origin)
        yield Entry(row.received, row.assignment, "submission", said, "")
        for word in row.recognitions:
            whose = ", ".join(sorted(one.student_id for one in word.students)) or text("ledger.log.nobody")
            how = text(f"ledger.log.how.{word.how.replace(' ', '_')}")
            said = text("ledger.log.recognised", name=row.name, students=whose, how=how)
            yield Entry(word.at, row.assignment, "recognition", said, word.who)
        for one in row.corrections:
            received = f"{one.received.astimezone(zone):%Y-%m-%d %H:%M}"
            said = text("ledger.log.received", name=row.name, received=received, why=one.why)
            yield Entry(one.at, row.assignment, "received", said, one.who)
        for attempt in row.attempts:
            yield _attempt(attempt, row)
        for failed in row.unreadable:
            said = text("ledger.log.unreadable", name=row.name, problem=failed.why())
            yield Entry(failed.at, row.assignment, "unreadable", said, failed.host)


def _attempt(attempt: Attempt, row: SubmissionRow) -> Entry:
    key = "ledger.log.rescored" if attempt.rescored_from else "ledger.log.attempt"
    score = f"{attempt.score:g}/{attempt.max_points:g}"
    said = text(key, number=attempt.id, name=row.name, score=score, status=text(f"status.{attempt.status}"))
    return Entry(attempt.started, row.assignment, "attempt", said, attempt.host)


def _decisions(session: Session, student_id: str) -> Iterator[Entry]:
    for row in session.scalars(select(Override).where(Override.student_id == student_id)):
        about = row.check_id or text("ledger.log.whole")
        key = "ledger.log.taken_back" if row.points is None else "ledger.log.override"
        said = text(key, about=about, points=f"{row.points or 0:g}", why=row.why)
        yield Entry(row.at, row.assignment, "override", said, row.who)


def _extensions(session: Session, student_id: str, zone: ZoneInfo) -> Iterator[Entry]:
    for row in session.scalars(select(ExtensionRow).where(ExtensionRow.student_id == student_id)):
        until = f"{row.until.astimezone(zone):%Y-%m-%d %H:%M}" if row.until else ""
        key = "ledger.log.no_more_time" if takes_back(row) else "ledger.log.until" if row.until else "ledger.log.days"
        said = text(key, days=row.days, until=until, why=row.why)
        yield Entry(row.at, row.assignment or "", "extension", said, row.who)


def _requests(session: Session, student_id: str) -> Iterator[Entry]:
    for row in session.scalars(select(RegradeRequest).where(RegradeRequest.student_id == student_id)):
        key = "ledger.log.answer" if row.answers else "ledger.log.request"
        about = row.check_id or text("ledger.log.whole")
        yield Entry(row.at, row.assignment, "regrade", text(key, about=about, said=row.text), row.who)
