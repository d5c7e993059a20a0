"""What people decide and put right about a class: when work really came, who hands in together, answers to students.

Each of these is a row more in the ledger, with who, when and why; what was recorded before stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from autograder.errors import UsageError
from autograder.gradebook import Gradebook
from autograder.ledger import people
from autograder.ledger.corrections import correct, corrected_times, received_at
from autograder.ledger.grades import owners, submissions_of
from autograder.ledger.models import RegradeRequest, SubmissionRow
from autograder.ledger.requests import About, Asked, answer, ask, requests
from autograder.messages import text


class Corrected(NamedTuple):
    """A submission whose time was put right."""

    number: int
    name: str
    before: datetime
    after: datetime


class Formed(NamedTuple):
    """A group, and what its members handed in before that does not belong to all of them."""

    members: list[str]
    apart: list[int]
    moved: dict[str, list[str]]
    """Who was in another group until now, by its name."""


# --- when work came ---------------------------------------------------------------------------------------------------


def correct_received(book: Gradebook, numbers: Sequence[int], received: datetime, why: str) -> list[Corrected]:
    """Say when submissions really came, where a source said it wrongly.

    Args:
        book: of the class.
        numbers: of the submissions.
        received: without a zone by the course's clock.
        why: for the ledger.

    Raises:
        UsageError: there is no such submission; then none is changed.
    """
    moment = book.moment(received)
    with book.ledger.writing() as session:
        rows = [_submission(session.get(SubmissionRow, number), number) for number in numbers]
        known = corrected_times(session)
        correct(session, (row for row in rows if received_at(row, known) != moment), moment, why, book.author())
        zone = book.zone
        return [
            Corrected(row.id, row.name, received_at(row, known).astimezone(zone), moment.astimezone(zone))
            for row in rows
        ]


def _submission(row: SubmissionRow | None, number: int) -> SubmissionRow:
    if row is None:
        raise UsageError(text("collect.no_submission", number=number), hint=text("collect.no_submission_hint"))
    return row


# --- groups -----------------------------------------------------------------------------------------------------------


def groups(book: Gradebook, assignment_id: str) -> dict[str, list[str]]:
    """Return who hands in an assignment together, by the group's name.

    Raises:
        UsageError: no such assignment.
    """
    assignment = book.course.assignment(assignment_id)
    with book.ledger.reading() as session:
        return people.groups_of(session, assignment.id)


def form_groups(book: Gradebook, assignment_id: str, named: Mapping[str, Sequence[str]]) -> dict[str, Formed]:
    """Have students hand in together; all groups are formed, or none.

    Args:
        book: of the class.
        assignment_id: that they hand in together.
        named: the students by the group's name; under an empty name those who hand in by themselves.

    Raises:
        UsageError: no such assignment or student, or one that is in two of these groups.
    """
    assignment = book.course.assignment(assignment_id).id
    made: dict[str, Formed] = {}
    seen: dict[str, str] = {}
    with book.ledger.writing() as session:
        for name, students in named.items():
            before = people.groups_of(session, assignment)
            members = people.group(session, assignment, name, students, book.author())
            for number in members:
                if seen.setdefault(number, name) != name:
                    raise UsageError(text("group.twice", student=number, one=seen[number], other=name))
            session.flush()
            together = set(people.groups_of(session, assignment).get(name, members)) if name else set()
            rows = submissions_of(session, assignment, members)
            whose = owners(session, (row.id for row in rows))
            apart = [row.id for row in rows if {one.student_id for one in whose[row.id].students} != together]
            made[name] = Formed(
                sorted(together) or members, apart if name else [], _moved(before, name, members) if name else {}
            )
    return made


def _moved(before: Mapping[str, Sequence[str]], name: str, members: Sequence[str]) -> dict[str, list[str]]:
    others = {other: sorted({*had} & {*members}) for other, had in before.items() if other != name}
    return {other: left for other, left in others.items() if left}


# --- regrade requests -------------------------------------------------------------------------------------------------


def ask_again(book: Gradebook, assignment_id: str, student: str, check: str | None, said: str) -> int:
    """Record that a student asks for a second look, and return the request's number.

    Raises:
        UsageError: no such student, or no such check in what was graded.
    """
    assignment = book.course.assignment(assignment_id)
    with book.ledger.writing() as session:
        found = people.require_student(session, student)
        check_id, _ = book.check_of(session, assignment, found.id, check)
        return ask(session, About(assignment.id, found.id, check_id), said, book.author()).id


def all_requests(book: Gradebook, assignment_id: str | None) -> list[Asked]:
    """Return what students asked, about one assignment or all, by the course's clock.

    Raises:
        UsageError: no such assignment.
    """
    assignment = book.course.assignment(assignment_id).id if assignment_id else None
    with book.ledger.reading() as session:
        return [one._replace(at=one.at.astimezone(book.zone)) for one in requests(session, assignment)]


def answer_request(book: Gradebook, number: int, said: str, points: float | None) -> Asked:
    """Answer what a student asked; with points it is a decision about them, too.

    Raises:
        UsageError: no such request, or more points than there are.
    """
    with book.ledger.reading() as session:
        row = session.get(RegradeRequest, number)
        if row is None or row.answers is not None:
            raise UsageError(text("request.none", number=number), hint=text("request.none_hint"))
    if points is not None:
        book.override(row.assignment, row.student_id, row.check_id, points, said)
    with book.ledger.writing() as session:
        answer(session, row, said, book.author())
    return next(one for one in all_requests(book, row.assignment) if one.number == number)
