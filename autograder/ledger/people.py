"""Students in the ledger: what a roster changes, extensions, groups, pseudonyms."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from autograder.errors import UsageError
from autograder.ledger.extensions import FROM_ROSTER, in_force
from autograder.ledger.models import Alias, Event, ExtensionRow, GroupMember, Student
from autograder.messages import text
from autograder.roster import Change, Known, Person, RosterExtension, changes


class Author(NamedTuple):
    """Who does something to the ledger, and when."""

    who: str
    at: datetime


class StudentRow(NamedTuple):
    """A student, as `grade roster list` shows one."""

    id: str
    name: str
    email: str
    section: str
    pseudonym: str
    left: bool
    groups: str = ""
    """`hw2: A`, or the name alone where it is the group for every assignment."""


def known_students(session: Session, zone: ZoneInfo) -> dict[str, Known]:
    """Return the students by their numbers, as a roster would have them.

    Args:
        session: of the ledger.
        zone: the course's: rosters give moments by its clock.
    """
    extended: dict[str, list[RosterExtension]] = {}
    for row in in_force(session):
        if row.why == FROM_ROSTER:
            extended.setdefault(row.student_id, []).append(as_in_roster(row, zone))
    grouped: dict[str, list[tuple[str, str]]] = {}
    for member in session.scalars(select(GroupMember).order_by(GroupMember.assignment)):
        grouped.setdefault(member.student_id, []).append((member.assignment, member.name))
    return {
        student.id: Known(_person(student, extended.get(student.id, []), grouped.get(student.id, [])), student.left)
        for student in all_students(session)
    }


def as_in_roster(row: ExtensionRow, zone: ZoneInfo) -> RosterExtension:
    """Return an extension as a roster would give it."""
    until = row.until.astimezone(zone).replace(tzinfo=None) if row.until else None
    return RosterExtension(row.assignment, row.days, until)


def student_rows(session: Session, section: str | None) -> list[StudentRow]:
    """Return the students of a section, or all, those who have left at the end."""
    asked = select(Student).order_by(Student.left, Student.section, Student.id)
    grouped: dict[str, list[str]] = {}
    for one in session.scalars(select(GroupMember).where(GroupMember.name != "").order_by(GroupMember.assignment)):
        grouped.setdefault(one.student_id, []).append(f"{one.assignment}: {one.name}" if one.assignment else one.name)
    return [
        StudentRow(
            one.id, one.name, one.email, one.section, one.pseudonym, one.left, "; ".join(grouped.get(one.id, []))
        )
        for one in session.scalars(asked if section is None else asked.where(Student.section == section))
    ]


def students_by_number(session: Session) -> list[StudentRow]:
    """Return every student in the order of the numbers, without groups."""
    columns = (getattr(Student, name) for name in StudentRow._fields if name != "groups")
    return [StudentRow(*row) for row in session.execute(select(*columns).order_by(Student.id))]


def all_students(session: Session) -> list[Student]:
    """Return every student with the names that others know them by, in the order of the numbers."""
    return list(session.scalars(select(Student).options(selectinload(Student.aliases)).order_by(Student.id)))


def _person(student: Student, extensions: list[RosterExtension], groups: list[tuple[str, str]]) -> Person:
    aliases = tuple((alias.source, alias.alias) for alias in student.aliases)
    told = student.id, student.name, student.email, student.section
    return Person(*told, aliases, tuple(extensions), tuple(groups))


def apply(
    session: Session, people: Iterable[Person], author: Author, zone: ZoneInfo, *, add_only: bool = False
) -> list[Change]:
    """Bring the ledger's students in step with a roster, and return what that changed.

    Args:
        session: of the ledger.
        people: the roster.
        author: who brings it.
        zone: the course's.
        add_only: it is a part of the class: who is not in it has not left.

    Raises:
        UsageError: two students would have one mail address, or another name that has to be theirs alone.
    """
    named = {person.id: person for person in people}
    known = known_students(session, zone)
    made = changes(known, named.values(), add_only=add_only)
    _refuse_shared_aliases(session, named)
    for number in sorted(named):
        _apply_one(session, named[number], known.get(number), author, zone)
    for number in () if add_only else known.keys() - named.keys():
        _student(session, number).left = True
    if made:
        counts = Counter(change.kind for change in made)
        session.add(Event(at=author.at, who=author.who, kind="roster", about=dict(counts)))
    return made


def _refuse_shared_aliases(session: Session, named: dict[str, Person]) -> None:
    taken = {(alias.source, alias.alias): alias.student_id for alias in session.scalars(select(Alias))}
    for number, person in sorted(named.items()):
        for alias in person.aliases:
            other = taken.setdefault(alias, number)
            if other != number:
                raise UsageError(text("roster.shared_alias", alias=": ".join(alias), one=other, other=number))


def _apply_one(session: Session, person: Person, known: Known | None, author: Author, zone: ZoneInfo) -> None:
    if known is None:
        student = Student(id=person.id, name=person.name, pseudonym=_pseudonym(session))
        session.add(student)
        session.flush()
    else:
        student = _student(session, person.id)
    student.name, student.left = person.name, False
    student.email = person.email or student.email or ""
    student.section = person.section or student.section or ""
    before = known.person if known else None
    for source, alias in person.aliases:
        if before is None or (source, alias) not in before.aliases:
            session.add(Alias(source=source, alias=alias, student_id=person.id))
    for one in person.extensions:
        if before is None or one not in before.extensions:
            until = one.until.replace(tzinfo=zone) if one.until else None
            extend(session, person.id, ExtensionRow(assignment=one.assignment, days=one.days, until=until), author)
    for assignment, name in person.groups:
        session.merge(GroupMember(assignment=assignment, student_id=person.id, name=name))


def _student(session: Session, number: str) -> Student:
    student = session.get(Student, number)
    if student is None:
        raise UsageError(text("class.no_student", id=number), hint=text("class.no_student_hint"))
    return student


def require_student(session: Session, said: str) -> Student:
    """Return the student of that number, alias or full name; a leading s as in s2026017 may be there or not.

    Raises:
        UsageError: nobody, or several.
    """
    for number in (said, said.removeprefix("s"), f"s{said}"):
        if student := session.get(Student, number):
            return student
    named = select(Student).where((Student.name == said) | (Student.pseudonym == said))
    known_as = select(Student).join(Alias).where(Alias.alias == said.lower())
    found = {student.id: student for query in (named, known_as) for student in session.scalars(query)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise UsageError(text("class.several_students", said=said, ids=", ".join(sorted(found))))
    raise UsageError(text("class.no_student", id=said), hint=text("class.no_student_hint"))


def extend(session: Session, number: str, extension: ExtensionRow, author: Author) -> None:
    """Give a student more time, or with neither days nor a moment take back what was given."""
    extension.student_id = number
    extension.why = extension.why or FROM_ROSTER
    extension.who, extension.at = author
    session.add(extension)


def group(session: Session, assignment: str, name: str, numbers: Iterable[str], author: Author) -> list[str]:
    """Have students hand in together, and return their numbers; each is in one group of an assignment.

    What was recognised before stays as it was: whose a submission is, is a row that is never changed.

    Args:
        session: of the ledger.
        assignment: that they hand in together.
        name: of the group; empty: each by himself, whatever the roster says.
        numbers: of the students.
        author: who says so.
    """
    members = [require_student(session, number).id for number in numbers]
    for number in members:
        session.merge(GroupMember(assignment=assignment, student_id=number, name=name))
    about = {"assignment": assignment, "name": name, "students": members}
    session.add(Event(at=author.at, who=author.who, kind="group", about=about))
    return members


def groups_of(session: Session, assignment: str) -> dict[str, list[str]]:
    """Return who hands in together, by the group's name; those who have left do no more."""
    asked = (
        select(GroupMember)
        .join(Student, Student.id == GroupMember.student_id)
        .where(GroupMember.assignment.in_(["", assignment]), ~Student.left)
        .order_by(GroupMember.assignment, GroupMember.student_id)
    )
    # What is said of this assignment comes later than what is said of all, and takes its place.
    names = {member.student_id: member.name for member in session.scalars(asked)}
    found: dict[str, list[str]] = {}
    for number, name in sorted(names.items()):
        if name:
            found.setdefault(name, []).append(number)
    return found


def now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


# --- pseudonyms -------------------------------------------------------------------------------------------------------

_COLOURS = (
    "amber", "azure", "beige", "black", "blue", "bronze", "brown", "coral", "crimson", "cyan", "gold", "green", "grey",
    "indigo", "ivory", "jade", "lilac", "lime", "maroon", "mint", "ochre", "olive", "orange", "pearl", "pink", "plum",
    "purple", "red", "rose", "ruby", "rust", "sand", "silver", "teal", "umber", "violet", "white", "yellow",
)  # fmt: skip
_ANIMALS = (
    "badger", "bear", "beaver", "bison", "cat", "crane", "crow", "deer", "dolphin", "dove", "duck", "eagle", "falcon",
    "finch", "fox", "frog", "goat", "goose", "hare", "hawk", "heron", "horse", "ibis", "koala", "lark", "lemur", "lion",
    "lynx", "magpie", "mole", "moose", "otter", "owl", "panda", "parrot", "pelican", "puffin", "raven", "robin", "seal",
    "sheep", "sparrow", "squirrel", "stork", "swan", "tiger", "trout", "turtle", "whale", "wolf", "wren", "zebra",
)  # fmt: skip


def _pseudonym(session: Session) -> str:
    """Return a name that nobody has. By chance and not by the number: who knows one must not find out the other."""
    while True:
        name = f"{secrets.choice(_COLOURS)}-{secrets.choice(_ANIMALS)}-{secrets.randbelow(90) + 10}"
        if session.scalar(select(Student.id).where(Student.pseudonym == name)) is None:
            return name
