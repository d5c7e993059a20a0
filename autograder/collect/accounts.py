"""Whose an account of a JupyterHub, or of the machine, is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from autograder.collect.matching import Student

_SOURCES = ("hub", "login", "nbgrader")
# The Littlest JupyterHub's users of the machine: jupyterhub/the-littlest-jupyterhub, tljh/user_creating_spawner.py. Of
# names of more than 26 characters it keeps the beginning and a hash (tljh/normalize.py): those need an alias `hub`.
_BEFORE = "jupyter-"


class Accounts:
    """The names of accounts that students have: their number, their mail name, or what the roster says.

    Args:
        students: of the roster.
    """

    def __init__(self, students: Iterable[Student]) -> None:
        self._owners: defaultdict[str, set[str]] = defaultdict(set)
        for student in students:
            for name in _names(student):
                self._owners[name.lower()].add(student.id)

    def students(self, account: str) -> tuple[str, ...]:
        """Return who can be meant by an account's name: one, nobody, or several with the same mail name."""
        plain = account.lower()
        return tuple(sorted(self._owners.get(plain) or self._owners.get(plain.removeprefix(_BEFORE)) or ()))


def _names(student: Student) -> Iterable[str]:
    yield student.id
    for source, name in student.aliases:
        if source in _SOURCES:
            yield name
        if source == "email":
            yield name.partition("@")[0]


def user_name(number: int) -> str:
    """Return the name of a user of this machine, or the number where it has none."""
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError, OverflowError):
        return str(number)
