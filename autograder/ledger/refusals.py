"""What could not be taken when it was collected, and is still missed: a student believes to have handed in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autograder.ledger.models import Event, HandedInBy, Recognition, SubmissionRow
from autograder.messages import retold


class Refusal(NamedTuple):
    """Something that could not be taken."""

    assignment: str
    name: str
    problem: str
    students: tuple[str, ...]
    """Whose it seems to be; empty: nobody is recognised."""
    at: datetime
    """When it was collected first."""


def still_refused(session: Session) -> list[Refusal]:
    """Return what was refused and is still missed, in the order that it came.

    What is a student's, until something readable came from the same one. What is nobody's, for as long as it is there:
    until the same source is collected once more without it.
    """
    found: dict[tuple[str, str, str], Refusal] = {}
    for event in session.scalars(select(Event).where(Event.kind == "collect").order_by(Event.id)):
        assignment, source = event.about.get("assignment", ""), event.about.get("source", "")
        refused = event.about.get("refused_files", [])
        now = {(assignment, source, one.get("key") or one["name"]): one for one in refused}
        for place in [place for place, one in found.items() if place[:2] == (assignment, source) and not one.students]:
            del found[place]
        for place, one in now.items():
            # Collected again, it is as old as it was: what came in between has replaced it.
            since = found[place].at if place in found else event.at
            found[place] = Refusal(assignment, one["name"], _problem(one), tuple(one.get("students", ())), since)
    newest = _newest_by_student(session) if found else {}
    return [one for one in found.values() if not _is_replaced(one, newest.get(one.assignment, {}))]


def _problem(refused: Mapping[str, Any]) -> str:
    """Return why something was refused; where only the words were recorded, those."""
    return retold(refused.get("said"), refused["problem"])


def _is_replaced(refusal: Refusal, newest: dict[str, datetime]) -> bool:
    """Whether something came from its student in a later collection, or in the same one."""
    return any(student in newest and newest[student] >= refusal.at for student in refusal.students)


def _newest_by_student(session: Session) -> dict[str, dict[str, datetime]]:
    asked = (
        select(SubmissionRow.assignment, HandedInBy.student_id, func.max(SubmissionRow.collected))
        .join(Recognition, Recognition.submission_id == SubmissionRow.id)
        .join(HandedInBy)
        .group_by(SubmissionRow.assignment, HandedInBy.student_id)
    )
    found: dict[str, dict[str, datetime]] = {}
    for assignment, student, collected in session.execute(asked):
        found.setdefault(assignment, {})[student] = collected
    return found
