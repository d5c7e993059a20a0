"""Addresses with a gap for the student: `https://git.example.edu/hw/{id}.git`, `/home/{alias:hub}/hw2`.

SECURITY: what fills a gap is not always the instructor's word: names of accounts come from lists that students fill in.
A value is one part of a path, and can't be an option, a path of its own, or lead elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from autograder.collect.matching import Student
from autograder.errors import UsageError
from autograder.messages import text

GAP = re.compile(r"\{(?:alias:)?([\w-]+)\}")
_NO_PART = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^[-.~]|:$")
_KEPT_IN_URLS = "@+~"


class NoValueError(Exception):
    """A gap can't be filled: `name` has no value, or one that can't stand there."""

    def __init__(self, name: str, value: str = "") -> None:
        super().__init__(name)
        self.name, self.value = name, value


def values_of(student: Student, assignment: str) -> dict[str, str]:
    """Return what the gaps can be filled with for a student: aliases by their source, and what is known to all."""
    values = dict(sorted(student.aliases, reverse=True))  # of several addresses always the same one
    email = values.get("email", "")
    return values | {
        "id": student.id,
        "name": student.name,
        "email_user": email.partition("@")[0],
        "assignment": assignment,
    }


def require_known(template: str, students: Iterable[Student], assignment: str) -> None:
    """Make sure that somebody has a value for each gap: where nobody has, it is a slip of the pen.

    Raises:
        UsageError: nobody has.
    """
    known = {name for student in students for name, said in values_of(student, assignment).items() if said}
    for name in GAP.findall(template):
        if name not in known:
            shown = ", ".join(f"{{{one}}}" for one in sorted(known))
            raise UsageError(text("sources.no_such_gap", name=name), hint=text("sources.no_such_gap_hint", known=shown))


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return the address for a student.

    Raises:
        NoValueError: nothing is known for a gap, or what is known can't stand there.
    """
    in_url = "://" in template

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        said = values.get(name, "").strip()
        if not said or _NO_PART.search(said):
            raise NoValueError(name, said)
        return quote(said, safe=_KEPT_IN_URLS) if in_url else said

    return GAP.sub(value, template)


def no_value(error: NoValueError) -> str:
    """Return why an address could not be made for a student."""
    if error.value:
        return text("sources.bad_value", name=error.name, value=error.value)
    return text("sources.no_value", name=error.name)
