"""The roster: who takes the course, read from what a registrar's office or an LMS exports.

A table (`table_file`) with headers in English or Chinese. Canvas's gradebook export and Moodle's offline grading
worksheet are rosters too, and bring the numbers by which those systems know a student:

- Canvas: `Student` (last name, first name), `ID` (Canvas's own), `SIS User ID` (the university's), `SIS Login ID`,
  `Section`:
  https://nemogb-dev.github.io/nemogb-r/articles/detailed-canvas-export-info.html
- Moodle: `Identifier` ("Participant 4711"), `Full name`, `ID number`, `Email address`, as Moodle's own plugin
  mod/assign/feedback/offline writes them. The site has to show ID numbers (“Show user identity”).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from autograder import table_file
from autograder.errors import UsageError
from autograder.messages import text

# Headers, without spaces and in small letters; the first that a file has is taken.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "studentid", "studentnumber", "idnumber", "sisuserid", "sid", "学号", "学生学号", "学籍号"),
    "name": ("name", "fullname", "student", "studentname", "姓名", "学生姓名", "名字"),
    "first_name": ("firstname", "givenname", "名"),
    "last_name": ("lastname", "surname", "familyname", "姓"),
    "email": ("email", "emailaddress", "e-mail", "mail", "邮箱", "电子邮箱", "邮件", "电子邮件"),
    "section": ("section", "class", "班级", "教学班", "行政班", "班"),
    "group": ("group", "groupname", "team", "小组", "组", "组别", "分组"),
    "extension": ("extension", "延期", "延长"),
    "canvas": ("canvasid",),
    "login": ("sisloginid", "login", "username", "用户名"),
    "moodle": ("identifier",),
    "github": ("githubusername", "github"),
    "hub": ("hub", "jupyterhub"),
}
_CANVAS_MARKS = {"sisuserid", "sisloginid"}
_MOODLE_PARTICIPANT = re.compile(r"^\D*(\d+)$")  # "Participant 12345", in the site's language
# Rows that Canvas puts among the students: the possible points, and the student that only teachers see.
_CANVAS_NOT_STUDENTS = re.compile(r"^(points possible|student, test|test student)", re.IGNORECASE)


class RosterExtension(NamedTuple):
    """More time, as the roster gives it: days, or until when; for one assignment, or for all."""

    assignment: str | None
    days: int = 0
    until: datetime | None = None
    """By the course's clock, without a zone."""


@dataclass(frozen=True)
class Person:
    """One row of a roster."""

    id: str
    name: str
    email: str = ""
    section: str = ""
    aliases: tuple[tuple[str, str], ...] = ()
    """Names that others know the student by: (source, name)."""
    extensions: tuple[RosterExtension, ...] = ()
    groups: tuple[tuple[str, str], ...] = ()
    """With whom the student hands in: (assignment, the group's name); the assignment is empty where it is every one."""
    line: int = field(default=0, compare=False)


class Change(NamedTuple):
    """One thing that a roster would change."""

    kind: str
    """added, changed, left, back, alias, extension, group."""
    id: str
    name: str
    before: str = ""
    after: str = ""


# --- reading ----------------------------------------------------------------------------------------------------------


def read(path: Path) -> tuple[Person, ...]:
    """Read a roster.

    Raises:
        UsageError: it can't be read, lacks a column, or a row is wrong; the message names the line.
    """
    return people(table_file.read(path), path)


def people(rows: Sequence[Sequence[str]], path: Path) -> tuple[Person, ...]:
    """Return the students in a table whose first row that names a student number is its header.

    Args:
        rows: cells as text.
        path: for messages.
    """
    header, columns = _header(rows, path)
    found: dict[str, Person] = {}
    problems: list[str] = []
    for line, cells in enumerate(rows[header + 1 :], start=header + 2):
        values = {name: cells[at].strip() for name, at in columns.items() if at < len(cells)}
        if not any(values.values()) or _CANVAS_NOT_STUDENTS.match(values.get("name", "")):
            continue
        try:
            person = _person(values, line)
        except ValueError as error:
            problem = str(error)
        else:
            first = found.setdefault(person.id, person)
            problem = "" if first is person else text("roster.twice", id=person.id, line=first.line)
        if problem:
            problems.append(text("roster.line", line=line, problem=problem))
    if problems:
        raise UsageError(text("roster.wrong", file=path, count=len(problems)), hint="\n".join(problems[:_SHOWN]))
    if not found:
        raise UsageError(text("roster.empty", file=path))
    return tuple(found.values())


def _header(rows: Sequence[Sequence[str]], path: Path) -> tuple[int, dict[str, int]]:
    """Return which row names the columns, and where each known one is."""
    for number, row in enumerate(rows):
        columns = _columns(row)
        if "id" in columns:
            if not {"name", "last_name"} & columns.keys():
                line = number + 1
                raise UsageError(text("roster.no_name", file=path, line=line), hint=text("roster.no_header_hint"))
            return number, columns
    raise UsageError(text("roster.no_header", file=path), hint=text("roster.no_header_hint"))


_SHOWN = 20  # problems; whoever has more has the wrong file


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return where each known column is."""
    plain = [re.sub(r"[\s_]", "", cell).lower() for cell in header]
    columns = {
        name: plain.index(known) for name, names in _COLUMNS.items() if (known := _first(names, plain)) is not None
    }
    if _CANVAS_MARKS & set(plain) and "id" in plain:  # there `ID` is Canvas's own number
        columns["canvas"] = plain.index("id")
        columns["id"] = plain.index("sisuserid" if "sisuserid" in plain else "sisloginid")
    return columns


def _first(names: Iterable[str], there: Sequence[str]) -> str | None:
    return next((name for name in names if name in there), None)


def _person(values: Mapping[str, str], line: int) -> Person:
    number = _plain_number(values.get("id", ""))
    if not number:
        raise ValueError(text("roster.no_id"))
    if re.fullmatch(r"\d(\.\d+)?e\+\d+", number, re.IGNORECASE):
        raise ValueError(text("roster.shortened_id", id=number))
    if len(number) > _MOST_ID or not number.isprintable() or re.search(r"[\s/\\,;]", number):
        raise ValueError(text("roster.bad_id", id=number))
    email = values.get("email", "")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise ValueError(text("roster.bad_email", email=email))
    name = _turned(values.get("name", "")) or _joined(values.get("last_name", ""), values.get("first_name", ""))
    if not name:
        raise ValueError(text("roster.nameless", id=number))
    return Person(
        id=number,
        name=" ".join(name.split()),
        email=email,
        section=values.get("section", ""),
        aliases=tuple(_aliases(values, email)),
        extensions=extensions_in(values.get("extension", "")),
        groups=groups_in(values.get("group", "")),
        line=line,
    )


_MOST_ID = 64  # characters, the ledger's column


_INVISIBLE = dict.fromkeys([0xFEFF, 0x200B, 0x200E, 0x200F, 0x202A, 0x202C])  # copied along from web pages


def _plain_number(said: str) -> str:
    """Undo what spreadsheets and input methods do to numbers: 2026017.0, ２０２６, the quote that keeps zeros."""
    said = unicodedata.normalize("NFKC", said.translate(_INVISIBLE)).strip().lstrip("'").strip()
    return said[:-2] if re.fullmatch(r"\d+\.0", said) else said


def _turned(name: str) -> str:
    last, comma, first = name.partition(",")
    return f"{first.strip()} {last.strip()}" if comma and first.strip() else name


def _joined(last: str, first: str) -> str:
    chinese = re.fullmatch(r"[\u4e00-\u9fff]+", last + first)
    return last + first if chinese else f"{first} {last}".strip()


def _aliases(values: Mapping[str, str], email: str) -> Iterable[tuple[str, str]]:
    if email:
        yield "email", email.lower()
    if canvas := _plain_number(values.get("canvas", "")):
        yield "canvas", canvas
    if login := values.get("login"):
        yield "login", login
    for account in ("github", "hub"):
        if name := values.get(account):
            yield account, name
    if participant := _MOODLE_PARTICIPANT.match(values.get("moodle", "")):
        yield "moodle", participant.group(1)


def extensions_in(said: str) -> tuple[RosterExtension, ...]:
    """Read what stands in a roster's column of extensions: `3`, `hw2=2; hw3=2027-01-12 23:59`, several by semicolons.

    Raises:
        ValueError: it can't be understood, in words.
    """
    return tuple(_extension(part.strip()) for part in re.split(r"[;；]", said) if part.strip())


def _extension(said: str) -> RosterExtension:
    assignment, _, value = said.rpartition("=")
    value = value.strip()
    days = re.fullmatch(r"\+?(\d{1,3})(\.0)?\s*(d|days?|天)?", value)
    if days:
        return RosterExtension(assignment.strip() or None, days=int(days.group(1)))
    try:
        until = moment_in(value)
    except ValueError:
        raise ValueError(text("roster.bad_extension", said=said)) from None
    return RosterExtension(assignment.strip() or None, until=until)


def groups_in(said: str) -> tuple[tuple[str, str], ...]:
    """Read what stands in a roster's column of groups: `A` for every assignment, `hw2=A; hw3=B` for some."""
    parts = (part.rpartition("=") for part in re.split(r"[;；]", said) if part.strip())
    return tuple((assignment.strip(), _plain_number(name)) for assignment, _, name in parts)


def read_groups(path: Path) -> dict[str, list[str]]:
    """Read who hands in together: a table with a column of student numbers and one of groups.

    Returns:
        The student numbers by the group's name.

    Raises:
        UsageError: it can't be read, or lacks a column.
    """
    rows = table_file.read(path)
    header = next((at for at, row in enumerate(rows) if {"id", "group"} <= _columns(row).keys()), None)
    if header is None:
        raise UsageError(text("group.no_header", file=path), hint=text("group.no_header_hint"))
    columns = _columns(rows[header])
    found: dict[str, list[str]] = {}
    for cells in rows[header + 1 :]:
        values = [_plain_number(cells[columns[name]]) if columns[name] < len(cells) else "" for name in ("id", "group")]
        if all(values):
            found.setdefault(values[1], []).append(values[0])
    return found


def moment_in(said: str) -> datetime:
    """Read a moment; a date by itself is the whole of that day.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(said)
    return moment if ":" in said else moment.replace(hour=23, minute=59, second=59)


# --- what it would change ---------------------------------------------------------------------------------------------


class Known(NamedTuple):
    """A student as the ledger knows one."""

    person: Person
    left: bool = False


def changes(known: Mapping[str, Known], new: Iterable[Person], *, add_only: bool = False) -> list[Change]:
    """Return what a roster would change, in the order of the student numbers. Nobody is removed: who left is marked.

    Args:
        known: the students as they are.
        new: the roster.
        add_only: it is a part of the class: who is not in it has not left.

    Raises:
        UsageError: the leading zeros of the student numbers are gone.
    """
    found: list[Change] = []
    named = {person.id: person for person in new}
    _refuse_lost_zeros(known, named)
    for number in sorted(known.keys() | named.keys()):
        before, after = known.get(number), named.get(number)
        if after is None:
            if before is not None and not before.left and not add_only:
                found.append(Change("left", number, before.person.name))
        elif before is None:
            found.append(Change("added", number, after.name, after=_facts(after)))
        else:
            if before.left:
                found.append(Change("back", number, after.name))
            found += _differences(before.person, after)
    return found


def _refuse_lost_zeros(known: Mapping[str, Known], named: Mapping[str, Person]) -> None:
    shortened = {number.lstrip("0"): number for number in known if number.startswith("0")}
    for number, person in named.items():
        before = shortened.get(number)
        if number not in known and before is not None and known[before].person.name == person.name:
            raise UsageError(
                text("roster.lost_zeros", id=number, known=before, name=person.name),
                hint=text("roster.lost_zeros_hint"),
            )


def _differences(before: Person, after: Person) -> Iterable[Change]:
    # What a roster does not tell (Canvas's export has no mail address) is not taken away.
    told = {name: getattr(after, name) for name in ("name", "email", "section") if getattr(after, name)}
    for name, value in told.items():
        if getattr(before, name) != value:
            yield Change("changed", before.id, after.name, getattr(before, name), value)
    for source, alias in after.aliases:
        if (source, alias) not in before.aliases:
            yield Change("alias", before.id, after.name, after=f"{source}: {alias}")
    for extension in after.extensions:
        if extension not in before.extensions:
            yield Change("extension", before.id, after.name, after=described(extension))
    grouped = dict(before.groups)
    for assignment, group in after.groups:
        if grouped.get(assignment) != group:
            was = grouped.get(assignment, "")
            yield Change("group", before.id, after.name, was, _described_group(assignment, group))


def _facts(person: Person) -> str:
    groups = (_described_group(*group) for group in person.groups)
    parts = (person.email, person.section, *groups, *map(described, person.extensions))
    return " · ".join(part for part in parts if part)


def _described_group(assignment: str, name: str) -> str:
    return f"{assignment}: {name}" if assignment else name


def described(extension: RosterExtension) -> str:
    """Return an extension in words."""
    which = extension.assignment or text("roster.every_assignment")
    if extension.until is not None:
        return text("roster.until", assignment=which, until=f"{extension.until:%Y-%m-%d %H:%M}")
    return text("roster.days", assignment=which, days=extension.days)
