"""More time for students: what is in force of what was given and taken back."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from autograder.ledger.models import ExtensionRow

FROM_ROSTER = "roster"  # why an extension was given: only these are compared with a roster's


def takes_back(row: ExtensionRow) -> bool:
    """Whether a row gives nothing, and takes back what was given before. A roster's `0` is more time of no days."""
    return not row.days and row.until is None and row.why != FROM_ROSTER


def in_force(session: Session, student_id: str | None = None) -> list[ExtensionRow]:
    """Return what students were given and nobody has taken back, the oldest first.

    What is taken back is what was given by hand, for the same student and the same assignment or for all alike; where
    nothing is left of that, what the roster gave. A roster that says it again afterwards gives it again.

    Args:
        session: of the ledger.
        student_id: only this one's; None: everybody's.
    """
    asked = select(ExtensionRow).order_by(ExtensionRow.id)
    given: dict[tuple[str, str | None], list[ExtensionRow]] = {}
    for row in session.scalars(asked if student_id is None else asked.where(ExtensionRow.student_id == student_id)):
        before = given.setdefault((row.student_id, row.assignment), [])
        if not takes_back(row):
            before.append(row)
        elif from_roster := [one for one in before if one.why == FROM_ROSTER]:
            before[:] = [] if len(from_roster) == len(before) else from_roster
        else:
            before.clear()
    return sorted((row for rows in given.values() for row in rows), key=lambda row: row.id)
