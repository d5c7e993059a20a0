"""What the sources of this folder are told: three students, an assignment, a deadline."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from autograder.collect.found import Found
from autograder.collect.matching import Student
from autograder.collect.opening import Wanted, open_named
from autograder.course import load_course
from tests.tiny_course import make_course

SHANGHAI = ZoneInfo("Asia/Shanghai")
DUE = datetime(2026, 9, 27, 23, 59, tzinfo=SHANGHAI)
STUDENTS = (
    Student("2026001", "李华", frozenset({("email", "li@example.edu"), ("github", "LiHua"), ("hub", "lihua")})),
    Student("2026002", "张三", frozenset({("email", "zhang@example.edu")})),
    Student("2026003", "王芳", frozenset({("email", "wang@example.edu")})),
)


def wanted_in(folder, students=STUDENTS, *, due=DUE, received=None, deadlines=None):
    course = load_course(make_course(folder / "course"))
    each = dict.fromkeys((one.id for one in students), due) if due else {}
    return Wanted(course, "hw1", SHANGHAI, students, each | (deadlines or {}), folder / "ledger", received)


def found_by(said, wanted):
    """Return what a source finds: by the student's number where it is one student's, else by its name."""
    return list(open_named(said, wanted))


def short(found):
    """Return the student or texts, the time in UTC and the files' names; or the problem of what is refused."""
    if isinstance(found, Found):
        return found.texts[:1], f"{found.received.astimezone(UTC):%m-%d %H:%M}", sorted(found.files)
    return found.name, found.problem
