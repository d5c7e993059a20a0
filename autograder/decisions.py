"""What people decide and put right about a class: when work really came, who hands in together, answers to students.

Each of these is a row more in the ledger, with who, when and why; what was recorded before stays as it was.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from autograder.collect.collecting import Collected
from autograder.errors import UsageError
from autograder.gradebook import Gradebook
from autograder.late_policy import Extension, deadline_of
from autograder.ledger import people
from autograder.ledger.corrections import correct, corrected_times, received_at
from autograder.ledger.extensions import FROM_ROSTER, in_force
from autograder.ledger.grades import decisions_in_force, extensions, given_to, grades_of, owners, submissions_of
from autograder.ledger.models import ExtensionRow, Override, RegradeRequest, SubmissionRow
from autograder.ledger.records import checks_of
from autograder.ledger.requests import About, Asked, answer, ask, requests
from autograder.messages import text
from autograder.roster import described


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


class Extended(NamedTuple):
    """What became of a student's time."""

    student: str
    deadlines: dict[str, datetime]
    """By assignment; those without a deadline are left out."""


class TakenBack(NamedTuple):
    """More time that a student has no longer."""

    student: str
    deadlines: dict[str, datetime]
    taken: list[str]
    """In words."""
    stays: list[str]
    """In words: what else the student was given for these assignments."""
    was_rosters: bool
    """The roster had given it: one that still says so gives it again."""


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


def known_otherwise(book: Gradebook, found: Sequence[Collected], received: datetime) -> list[int]:
    """Return the submissions that were found again and are known to have come at another time, by their numbers.

    Args:
        book: of the class.
        found: what was collected.
        received: when all of it came, as somebody says; without a zone by the course's clock.
    """
    moment = book.moment(received)
    known = sorted({one.number for one in found if one.outcome == "known"})
    with book.ledger.reading() as session:
        corrected = corrected_times(session)
        rows = (session.get_one(SubmissionRow, number) for number in known)
        return [row.id for row in rows if received_at(row, corrected) != moment]


def _submission(row: SubmissionRow | None, number: int) -> SubmissionRow:
    if row is None:
        raise UsageError(text("collect.no_submission", number=number), hint=text("collect.no_submission_hint"))
    return row


# --- more time --------------------------------------------------------------------------------------------------------


def extend(book: Gradebook, student: str, assignment_id: str | None, given: Extension, why: str) -> Extended:
    """Give a student more time, and return until when it is now.

    Args:
        book: of the class.
        student: by any name.
        assignment_id: in this one; None: in all.
        given: how much more; a moment without a zone is by the course's clock.
        why: for the ledger.

    Raises:
        UsageError: no such student or assignment.
    """
    assignment = book.course.assignment(assignment_id).id if assignment_id else None
    until = book.moment(given.until) if given.until else None
    with book.ledger.writing() as session:
        found = people.require_student(session, student).id
        row = ExtensionRow(assignment=assignment, days=given.days, until=until, why=_by_hand(why))
        people.extend(session, found, row, book.author())
        session.flush()
        return Extended(found, _deadlines(book, session, found, assignment))


def take_back_extension(book: Gradebook, student: str, assignment_id: str | None, why: str) -> TakenBack:
    """Take back the time that a student was given by hand; where there is none of it, what the roster gave.

    Args:
        book: of the class.
        student: by any name.
        assignment_id: what was given for this one; None: what was given for all at once.
        why: for the ledger.

    Raises:
        UsageError: no such student or assignment, or nothing was given.
    """
    assignment = book.course.assignment(assignment_id).id if assignment_id else None
    with book.ledger.writing() as session:
        found = people.require_student(session, student).id
        before = in_force(session, found)
        if all(row.assignment != assignment for row in before):
            which = assignment or text("roster.every_assignment")
            hint = text("extend.nothing_hint", stays="; ".join(_said(book, before))) if before else None
            raise UsageError(text("extend.nothing", student=found, assignment=which), hint=hint)
        people.extend(session, found, ExtensionRow(assignment=assignment, days=0, why=_by_hand(why)), book.author())
        session.flush()
        left = in_force(session, found)
        taken = [row for row in before if row not in left]
        stays = [row for row in left if assignment is None or row.assignment in {None, assignment}]
        deadlines = _deadlines(book, session, found, assignment)
        was_rosters = any(row.why == FROM_ROSTER for row in taken)
        return TakenBack(found, deadlines, _said(book, taken), _said(book, stays), was_rosters)


def _by_hand(why: str) -> str:
    """Return why; the one word by which a roster's extensions are known is no reason."""
    if why == FROM_ROSTER:
        raise UsageError(text("extend.why_roster"))
    return why


def _said(book: Gradebook, rows: Sequence[ExtensionRow]) -> list[str]:
    return [described(people.as_in_roster(row, book.zone)) for row in rows]


def _deadlines(book: Gradebook, session: Session, student: str, assignment: str | None) -> dict[str, datetime]:
    given = extensions(session)
    return {
        rule.assignment: deadline_of(rule.due, given_to(student, rule.assignment, given))
        for rule in book.rules()
        if rule.due is not None and assignment in {None, rule.assignment}
    }


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


# --- points -----------------------------------------------------------------------------------------------------------


def override(book: Gradebook, about: About, points: float | None, why: str) -> Override:
    """Decide about points; None takes an earlier decision back.

    Args:
        book: of the class.
        about: whose points for what, as somebody named them.
        points: from now on.
        why: in words.

    Raises:
        UsageError: no such student or check, more points than there are, or nothing to take back.
    """
    assignment = book.course.assignment(about.assignment)
    with book.ledger.writing() as session:
        student_id = people.require_student(session, about.student_id).id
        check_id, most = _check_of(book, session, About(assignment.id, student_id, about.check_id))
        if points is not None and not 0 <= points <= most:
            raise UsageError(text("override.points", points=f"{points:g}", most=f"{most:g}"))
        if points is None:
            _require_decision(decisions_in_force(session)[student_id], assignment.id, check_id)
        decided = {"points": points, "why": why, **book.author()._asdict()}
        row = Override(assignment=assignment.id, student_id=student_id, check_id=check_id, **decided)
        session.add(row)
        return row


def _check_of(book: Gradebook, session: Session, about: About) -> tuple[str | None, float]:
    """Return a check that somebody named, and what it is worth; nothing named: the whole assignment.

    Raises:
        UsageError: there is no such check in what was graded.
    """
    check = about.check_id
    if check is None:
        return None, book.course.assignment(about.assignment).spec.points
    (grade,) = [one for one in grades_of(session, book.rules(), about.assignment) if one.student.id == about.student_id]
    rows = checks_of(session, [grade.attempt.id])[grade.attempt.id] if grade.attempt else []
    for row in rows:
        if check in {row.check_id, row.check_id.rpartition("::")[2]}:
            return row.check_id, row.max_points
    known = [row.check_id.rpartition("::")[2] for row in rows]
    near = [name for name in known if check in name] or difflib.get_close_matches(check, known)
    hint = text("override.nothing_graded", id=about.assignment)
    if known:
        hint = text("override.near" if near else "override.checks", checks=", ".join(near or known))
    raise UsageError(text("override.no_check", check=check), hint=hint)


def _require_decision(decided: Sequence[Override], assignment: str, check_id: str | None) -> None:
    about = [one.check_id for one in decided if one.assignment == assignment]
    if check_id not in about:
        whole = text("ledger.log.whole")
        known = ", ".join(sorted(one or whole for one in about))
        hint = text("override.decided", about=known) if about else None
        raise UsageError(text("override.nothing", about=check_id or whole), hint=hint)


# --- regrade requests -------------------------------------------------------------------------------------------------


def ask_again(book: Gradebook, assignment_id: str, student: str, check: str | None, said: str) -> int:
    """Record that a student asks for a second look, and return the request's number.

    Raises:
        UsageError: no such student, or no such check in what was graded.
    """
    assignment = book.course.assignment(assignment_id)
    with book.ledger.writing() as session:
        found = people.require_student(session, student)
        check_id, _ = _check_of(book, session, About(assignment.id, found.id, check))
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
        override(book, About(row.assignment, row.student_id, row.check_id), points, said)
    with book.ledger.writing() as session:
        answer(session, row, said, book.author())
    return next(one for one in all_requests(book, row.assignment) if one.number == number)
