"""The course at a glance: for each assignment how many handed in, how many are graded, and what needs a look."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from autograder.ledger.grades import Grade, Rules, unclaimed
from autograder.ledger.models import Attempt, SubmissionRow
from autograder.ledger.requests import open_requests
from autograder.results import Status


class Standing(NamedTuple):
    """One assignment."""

    assignment: str
    due: str
    """By the course's clock; empty: there is no deadline."""
    students: int
    handed_in: int
    late: int
    graded: int
    unreadable: int
    """Students whose work can't be graded: they have 0 points, unless somebody decides otherwise."""
    too_late: int
    """Students whose work came after the hard stop."""
    faults: int
    """Submissions whose newest attempt failed by our own fault."""
    unclaimed: int
    """Submissions that nobody was recognised for."""
    requests: int
    """Of students, for a second look, that nobody has answered yet."""
    median: float | None
    max_points: float
    full: int
    """Students with all points."""
    by_hand: int
    """Students with a human's decision."""


def standing_of(session: Session, rules: Rules, found: Sequence[Grade], zone: ZoneInfo) -> Standing:
    """Return how an assignment stands."""
    here = [grade for grade in found if not grade.student.left]
    handed_in = [grade for grade in here if grade.submission is not None]
    finals = [grade.final for grade in here if grade.final is not None]
    return Standing(
        assignment=rules.assignment,
        due=f"{rules.due.astimezone(zone):%Y-%m-%d %H:%M}" if rules.due else "",
        students=len(here),
        handed_in=len(handed_in),
        late=sum(grade.settled.days_late > 0 for grade in handed_in if grade.settled),
        graded=sum(grade.attempt is not None for grade in handed_in),
        unreadable=sum(bool(grade.unreadable) for grade in handed_in),
        too_late=sum(grade.settled.refused for grade in handed_in if grade.settled),
        faults=_faults(session, rules.assignment),
        unclaimed=len(unclaimed(session, rules.assignment)),
        requests=len(open_requests(session, rules.assignment)),
        median=median(finals) if finals else None,
        max_points=rules.max_points,
        full=sum(final >= rules.max_points for final in finals),
        by_hand=sum(bool(grade.decisions) for grade in here),
    )


def _faults(session: Session, assignment: str) -> int:
    newer = aliased(Attempt)
    superseded = select(newer.id).where(newer.submission_id == Attempt.submission_id, newer.id > Attempt.id).exists()
    count = (
        select(func.count())
        .select_from(Attempt)
        .join(SubmissionRow)
        .where(Attempt.status == Status.INTERNAL.value, SubmissionRow.assignment == assignment, ~superseded)
    )
    return session.scalar(count) or 0
