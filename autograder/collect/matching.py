"""Whose a submission is: told by its manifest, by what the source knows its sender as, or read from names.

Pure functions. Where two students are named, or one is named and another is known, a human decides: a wrong guess is a
grade in a stranger's name. So does a number that looks like a student's and is nobody's here, however well the name
beside it fits: many share one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

_TOKEN = re.compile(r"[^\W_]+")
_CHINESE = r"[\u3400-\u9fff\U00020000-\U0003ffff·]"
_CHINESE_NAME = re.compile(_CHINESE + "{2,}")
# 张三 of the roster may not be meant by 张三丰 or 小张三; these may stand beside a short name.
_BEFORE_NAME = re.compile(r"(?:姓名|学生|同学|作业|提交|班|号)$")
_AFTER_NAME = re.compile(r"^(?:的|同学|作业|第|实验|提交|补交|最终|终稿|修改|课程)")
_LEAST_DIGITS = 4  # a shorter number in a file's name counts its versions


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
        # As many digits as the roster's numbers have; of other lengths it may be a date or a version.
        self._shapes = {_shape(number) for number in self._by_id if len(number) >= _LEAST_DIGITS}
        self._names = {student.id: _name_tokens(student.name) for student in self._students.values()}

    def match(self, manifest_id: str, aliases: Iterable[tuple[str, str]], texts: Iterable[str]) -> Match:
        """Return whose it is.

        Args:
            manifest_id: what `grade pack` was told; empty where there is none.
            aliases: by which the source knows the student.
            texts: names of files and folders, a subject; the most telling first.
        """
        claimed = {self._by_id[manifest_id.lower()]} if manifest_id.lower() in self._by_id else set()
        strange = bool(manifest_id) and not claimed
        known = {student for source, name in aliases if (student := self._by_alias.get((source, name.lower())))}
        plain = [unicodedata.normalize("NFKC", text) for text in texts]
        numbered = next((found for text in plain if (found := self._numbered_in(text))), set())
        # Surer signs don't outvote each other: a friend's file handed in from one's own account is a mistake that a
        # human has to see. A name alone counts only where there is no other sign: it may be a third person's.
        signs = (("manifest", claimed), ("alias", known), ("id", numbered))
        if meant := set().union(*(found for _, found in signs)):
            if len(meant) > 1 or strange:
                return Match(None, candidates=tuple(sorted(meant)))
            return Match(meant.pop(), next(how for how, found in signs if found))
        named, surely = self._named_in(plain)
        if len(named) == 1 and surely and not strange and not any(map(self._has_strange_number, plain)):
            return Match(named.pop(), "name")
        return Match(None, candidates=tuple(sorted(named)))

    def _numbered_in(self, text: str) -> set[str]:
        if whole := self._by_id.get(text.strip().lower()):
            return {whole}
        tokens = (token for token in _id_tokens(text) if len(token) >= _LEAST_DIGITS)
        return {self._by_id[token] for token in tokens if token in self._by_id}

    def _has_strange_number(self, text: str) -> bool:
        return any(_shape(token) in self._shapes and token not in self._by_id for token in _id_tokens(text))

    def _named_in(self, texts: list[str]) -> tuple[set[str], bool]:
        """Return who is named in the first text that names anybody, and whether that can't be part of a longer name."""
        for text in texts:
            if found := self._names_in(text):
                return found, all(_stands_alone(self._students[number].name, text) for number in found)
        return set(), False

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


def _shape(token: str) -> str:
    """Return what a token looks like: s2026017 → s0000000. Words, which have no digits, look like nothing."""
    return re.sub(r"\d", "0", token) if any(char.isdigit() for char in token) else ""


def _stands_alone(name: str, text: str) -> bool:
    """Whether a short Chinese name is a whole word somewhere in a text; longer ones and others always are."""
    if not _CHINESE_NAME.fullmatch(name) or len(name) > 2:  # noqa: PLR2004 - a family name and one character
        return True
    for match in re.finditer(re.escape(name), text):
        before, after = text[: match.start()], text[match.end() :]
        if (not re.search(f"{_CHINESE}$", before) or _BEFORE_NAME.search(before)) and (
            not re.match(_CHINESE, after) or _AFTER_NAME.match(after)
        ):
            return True
    return False


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
