"""Whose a submission is: told by its manifest, by what the source knows its sender as, or read from names.

Pure functions. Where two students are named, or one is named and another is known, a human decides: a wrong guess is a
grade in a stranger's name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

_TOKEN = re.compile(r"[^\W_]+")
_CHINESE_NAME = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff·]{2,}")


class Student(NamedTuple):
    """What a student is recognised by."""

    id: str
    name: str
    aliases: frozenset[tuple[str, str]] = frozenset()


class Match(NamedTuple):
    """Whose a submission is, as far as that can be told."""

    student: str | None
    how: str = ""
    """manifest, alias, id, name."""
    candidates: tuple[str, ...] = ()
    """Where nobody or several can be meant: who."""


class Matcher:
    """Recognises the students of a roster.

    Args:
        students: of the course.
    """

    def __init__(self, students: Iterable[Student]) -> None:
        self._students = {student.id: student for student in students}
        self._by_alias: dict[tuple[str, str], str] = {
            (source, name.lower()): student.id
            for student in self._students.values()
            for source, name in student.aliases
        }
        self._by_id = {student.id.lower(): student.id for student in self._students.values()}
        self._names = {student.id: _name_tokens(student.name) for student in self._students.values()}

    def match(self, manifest_id: str, aliases: Iterable[tuple[str, str]], texts: Iterable[str]) -> Match:
        """Return whose it is.

        Args:
            manifest_id: what `grade pack` was told; empty where there is none.
            aliases: by which the source knows the student.
            texts: names of files and folders, a subject; the most telling first.
        """
        claimed = {self._by_id[manifest_id.lower()]} if manifest_id.lower() in self._by_id else set()
        known = {student for source, name in aliases if (student := self._by_alias.get((source, name.lower())))}
        plain = [unicodedata.normalize("NFKC", text) for text in texts]
        numbered = next((found for text in plain if (found := self._numbered_in(text))), set())
        # Surer signs don't outvote each other: a friend's file handed in from one's own account is a mistake that a
        # human has to see. A name alone counts only where there is no other sign: it may be a third person's.
        for signs in ((("manifest", claimed), ("alias", known), ("id", numbered)), (("name", self._named_in(plain)),)):
            if meant := set().union(*(found for _, found in signs)):
                if len(meant) > 1:
                    return Match(None, candidates=tuple(sorted(meant)))
                return Match(meant.pop(), next(how for how, found in signs if found))
        return Match(None)

    def _numbered_in(self, text: str) -> set[str]:
        return {self._by_id[token] for token in _id_tokens(text) if token in self._by_id}

    def _named_in(self, texts: list[str]) -> set[str]:
        """Return who is named in the first text that names anybody."""
        return next((found for text in texts if (found := self._names_in(text))), set())

    def _names_in(self, text: str) -> set[str]:
        tokens = set(_name_tokens(text))
        found: dict[str, str] = {}
        for number, student in self._students.items():
            if _CHINESE_NAME.fullmatch(student.name):
                if student.name in text:
                    found[number] = student.name
            elif len(self._names[number]) > 1 and tokens.issuperset(self._names[number]):
                found[number] = student.name
        # 张三 stands in 张三丰, too.
        return {
            number
            for number, name in found.items()
            if not any(name != other and name in other for other in found.values())
        }


def _id_tokens(text: str) -> set[str]:
    """Return what may be a student number: words, the parts of what is joined by signs, long numbers within words."""
    words = {word.lower() for word in re.findall(r"[\w.@-]+", text.replace("_", " "))} | {
        token.lower() for token in _TOKEN.findall(text.replace("_", " "))
    }
    return words | {digits for word in words for digits in re.findall(r"\d{4,}", word)}


def _name_tokens(text: str) -> list[str]:
    """Return the words of a name without accents and in small letters: Müller, Max → max, muller."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return sorted(token.lower() for token in re.findall(r"[^\W\d_]+", plain))
