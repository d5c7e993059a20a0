"""Receipts: what tells a student that homework has come, when, what it was taken for, and its hash.

Each student of each submission gets one, whatever source it came from. That one was sent is an event in the ledger.

# SECURITY: a receipt goes to the address in the roster and to no other: an answer to whatever a From header says would
send our mail to whoever a stranger names there. What stands in it is in one line each, so that no name of a file makes
a header or a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autograder.collect.letter import one_line
from autograder.collect.store import Store
from autograder.course import LoadedCourse
from autograder.errors import UsageError
from autograder.late_policy import days_late, deadline_of
from autograder.ledger import people
from autograder.ledger.corrections import corrected_times, received_at
from autograder.ledger.grades import Extended, extensions, given_to, owners
from autograder.ledger.models import Event, Recognition, Student, SubmissionRow
from autograder.messages import Language, Text, speaking, text

SENT = "receipt"
"""The kind of event."""
_MESSAGE_ID = re.compile(r":(<[^<>\s]{1,250}>)(?:@\S+)?$")
_MOST_FILES = 30
_MOST_NAME = 100  # characters


@dataclass(frozen=True)
class Receipt:
    """What one student is told about one submission."""

    assignment: str
    title: Text
    course: Text
    submission: int
    student: str
    name: str
    address: str
    """Of the roster; empty: there is none."""
    owners: tuple[str, ...]
    """All who handed it in together."""
    how: str
    """They were recognised."""
    called: str
    """The submission, as it came."""
    received: datetime
    """By the course's clock."""
    deadline: datetime | None
    days_late: int
    files: tuple[tuple[str, int], ...]
    """With their sizes in bytes."""
    sha256: str
    answers: str
    """The Message-ID of the mail that it came by; empty: it came by none."""
    is_sent: bool


class _Known(NamedTuple):
    """What is in force for all of an assignment's submissions."""

    extended: Extended
    corrected: dict[int, datetime]
    sent: set[tuple[int, str]]
    """Submission and student."""


class ReceiptBook:
    """All receipts of a course.

    Args:
        course: whose deadlines are in force.
        store: where the files lie.
        zone: the course's.
    """

    def __init__(self, course: LoadedCourse, store: Store, zone: ZoneInfo) -> None:
        self._course, self._store, self._zone = course, store, zone

    def receipts(self, session: Session, assignment_id: str) -> list[Receipt]:
        """Return the receipts of an assignment, in the order in which the submissions came."""
        of_it = select(SubmissionRow).where(SubmissionRow.assignment == assignment_id)
        rows = list(session.scalars(of_it.order_by(SubmissionRow.received, SubmissionRow.id)))
        belongs = owners(session, (row.id for row in rows))
        students = {student.id: student for student in people.all_students(session)}
        known = _Known(extensions(session), corrected_times(session), _sent(session, assignment_id))
        return [
            self._receipt(row, belongs[row.id], students[owner.student_id], known)
            for row in rows
            if row.id in belongs
            for owner in sorted(belongs[row.id].students, key=lambda one: one.student_id)
        ]

    def _receipt(self, row: SubmissionRow, word: Recognition, student: Student, known: _Known) -> Receipt:
        spec, received = self._course.spec, received_at(row, known.corrected)
        due = spec.due(row.assignment)
        deadline = deadline_of(due, given_to(student.id, row.assignment, known.extended)) if due else None
        grace_min = spec.late_policy(row.assignment).grace_min
        answers = _MESSAGE_ID.search(row.origin) if row.origin.startswith("imap:") else None
        return Receipt(
            assignment=row.assignment,
            title=self._course.assignment(row.assignment).spec.title,
            course=spec.title,
            submission=row.id,
            student=student.id,
            name=student.name,
            address=student.email or next((one.alias for one in student.aliases if one.source == "email"), ""),
            owners=tuple(sorted(one.student_id for one in word.students)),
            how=word.how,
            called=row.name,
            received=received.astimezone(self._zone),
            deadline=deadline,
            days_late=days_late(received, deadline, grace_min) if deadline else 0,
            files=tuple((name, len(content)) for name, content in sorted(self._store.files(row.sha256).items())),
            sha256=row.sha256,
            answers=answers[1] if answers else "",
            is_sent=(row.id, student.id) in known.sent,
        )


def record_sent(session: Session, receipt: Receipt, author: people.Author) -> None:
    """Note that a receipt was sent."""
    about = {
        "assignment": receipt.assignment,
        "submission": receipt.submission,
        "student": receipt.student,
        "to": receipt.address,
    }
    session.add(Event(at=author.at, who=author.who, kind=SENT, about=about))


def sent_since(session: Session, moment: datetime) -> int:
    """Return how many receipts were sent since a moment."""
    asked = select(func.count()).select_from(Event).where(Event.kind == SENT, Event.at > moment)
    return session.scalar(asked) or 0


def _sent(session: Session, assignment_id: str) -> set[tuple[int, str]]:
    events = session.scalars(select(Event).where(Event.kind == SENT))
    of_it = (one.about for one in events if one.about["assignment"] == assignment_id)
    return {(about["submission"], about["student"]) for about in of_it}


# --- in words ---------------------------------------------------------------------------------------------------------


def subject_of(receipt: Receipt, languages: Sequence[Language]) -> str:
    """Return what stands above a receipt."""
    said = []
    for one in languages:
        with speaking(one):
            said.append(text("receipt.subject", assignment=receipt.assignment))
    return one_line(f"{' / '.join(said)}: {receipt.student} {receipt.name[:_MOST_NAME]}")


def words_of(receipt: Receipt, languages: Sequence[Language]) -> str:
    """Return a receipt as plain text, in one language under the other."""
    parts = []
    for one in languages:
        with speaking(one):
            parts.append("\n".join(_lines(receipt)))
    return f"\n\n{'-' * 60}\n\n".join(parts) + "\n"


def _lines(receipt: Receipt) -> Iterable[str]:
    yield text("receipt.greeting", name=one_line(receipt.name)[:_MOST_NAME])
    yield ""
    yield text("receipt.received_it")
    yield ""
    how = text(f"ledger.log.how.{receipt.how.replace(' ', '_')}")
    others = [one for one in receipt.owners if one != receipt.student]
    students = ", ".join([f"{receipt.student} {one_line(receipt.name)[:_MOST_NAME]}", *others])
    moment = f"{receipt.received:%Y-%m-%d %H:%M:%S %Z}"
    facts = {
        "assignment": f"{receipt.assignment}, {receipt.title}",
        "student": text("receipt.noted", fact=students, note=how),
        "received": text("receipt.noted", fact=moment, note=_lateness(receipt)),
        "called": one_line(receipt.called),
        "hash": receipt.sha256,
    }
    for key, fact in facts.items():
        yield f"  {text(f'receipt.label.{key}')}{fact}"
    yield text("receipt.files", count=len(receipt.files))
    for name, size_bytes in receipt.files[:_MOST_FILES]:
        yield text("receipt.file", name=one_line(name)[:_MOST_NAME], size=f"{size_bytes:,}")
    if len(receipt.files) > _MOST_FILES:
        yield text("receipt.more_files", count=len(receipt.files) - _MOST_FILES)
    yield ""
    yield text("receipt.closing", course=one_line(str(receipt.course)))


def _lateness(receipt: Receipt) -> str:
    if receipt.deadline is None:
        return text("receipt.no_deadline")
    deadline = f"{receipt.deadline:%Y-%m-%d %H:%M %Z}"
    if receipt.days_late:
        return text("receipt.late", days=receipt.days_late, deadline=deadline)
    return text("receipt.in_time", deadline=deadline)


def languages_of(said: Literal["en", "zh", "both"]) -> tuple[Language, ...]:
    """Return the languages that a course's receipts are in."""
    return get_args(Language) if said == "both" else (said,)


def write_all(receipts: Iterable[Receipt], languages: Sequence[Language], folder: Path) -> int:
    """Write receipts as text files, to be handed on by other ways than mail, and return how many.

    Raises:
        UsageError: they can't be written.
    """
    count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for receipt in receipts:
            path = folder / f"{receipt.student}_{receipt.assignment}_{receipt.submission}.txt"
            path.write_text(words_of(receipt, languages), encoding="utf-8", newline="\n")
            count += 1
    except OSError as error:
        raise UsageError(text("receipt.not_written", file=folder, problem=error.strerror or error)) from None
    return count
