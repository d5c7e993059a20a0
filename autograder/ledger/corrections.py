"""When submissions really came: a source's word, and what somebody has put right since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autograder.ledger.models import ReceivedCorrection, SubmissionRow
from autograder.ledger.people import Author
from autograder.ledger.records import HandedIn


def corrected_times(session: Session) -> dict[int, datetime]:
    """Return when submissions came, by their numbers: those that somebody has put right."""
    newest = select(func.max(ReceivedCorrection.id)).group_by(ReceivedCorrection.submission_id)
    rows = session.scalars(select(ReceivedCorrection).where(ReceivedCorrection.id.in_(newest)))
    return {row.submission_id: row.received for row in rows}


def received_at(row: SubmissionRow | HandedIn, corrected: Mapping[int, datetime]) -> datetime:
    """Return when a submission came, as far as is known."""
    return corrected.get(row.id, row.received)


def correct(
    session: Session, rows: Iterable[SubmissionRow | HandedIn], received: datetime, why: str, author: Author
) -> None:
    """Say when submissions really came."""
    session.add_all(
        ReceivedCorrection(submission_id=row.id, received=received, why=why, **author._asdict()) for row in rows
    )
