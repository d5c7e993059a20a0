"""Mails as students send them, and the course that they are for."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

from autograder.gradebook import Gradebook
from autograder.ledger import people
from autograder.ledger.database import Ledger
from autograder.roster import Person
from tests.ledger.conftest import NOW
from tests.tiny_course import ASSIGNMENT, make_course, write

CODE = b"def add(a, b):\n    return a + b\n"
DUE = "2026-09-27T23:59"
COURSE = f"""\
id: tiny
title: {{en: Tiny course, zh: 小课程}}
timezone: Asia/Shanghai
assignments: [{{id: hw1, due: {DUE}}}, {{id: hw2}}]
"""
STUDENTS = [
    Person("2026001", "李华", email="li@example.edu", aliases=(("email", "li@example.edu"),)),
    Person("2026002", "张三", email="zhang@example.edu", aliases=(("email", "zhang@example.edu"),)),
    Person("2026003", "王芳"),
    Person("2026004", "Max Müller", email="max@example.edu", aliases=(("email", "max@example.edu"),)),
]


def course(folder: Path, *, mail: str = "", students: list[Person] = STUDENTS) -> Path:
    """Make a course of two assignments, with its roster in the ledger."""
    make_course(folder)
    write(folder / "course.yml", f"{COURSE}{mail}")
    second = (
        ASSIGNMENT.replace("id: hw1", "id: hw2")
        .replace("sums.py", "lines.py")
        .replace("Sums, zh: 求和", "Planes, zh: 平面拟合")
    )
    write(folder / "assignments" / "hw2_planes" / "assignment.yml", second)
    with Ledger(folder / "ledger") as ledger, ledger.writing() as session:
        people.apply(session, students, people.Author("me", NOW), gradebook(folder, ledger).zone)
    return folder


def gradebook(folder: Path, ledger: Ledger) -> Gradebook:
    from autograder.course import load_course

    return Gradebook(load_course(folder), ledger)


def mail(
    subject: str = "作业1 2026001 李华",
    files: dict[str, bytes] | None = None,
    *,
    sender: str = "李华 <lihua@qq.example>",
    body: str = "老师好，作业见附件。\n",
    message_id: str = "<1@qq.example>",
    **headers: str,
) -> EmailMessage:
    """Return a mail as a program writes it that does everything right."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"], made["Message-ID"] = sender, "hw@example.edu", subject, message_id
    made["Date"] = "Sat, 19 Sep 2026 20:00:00 +0800"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(body)
    for name, content in ({"sums.py": CODE} if files is None else files).items():
        made.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return made
