"""Which assignments a text speaks of: hw2, Homework 2, 作业2, 第二次作业, 实验二, a title. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

_KINDS = {
    "homework": ("homework", "hw", "assignment", "作业"),
    "lab": ("lab", "experiment", "exp", "实验", "上机"),
    "exercise": ("exercise", "ex", "练习", "习题"),
    "project": ("project", "proj", "大作业", "项目", "课设"),
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words}
_DIGITS = {char: number for number, char in enumerate("零一二三四五六七八九")} | {"两": 2}
_WORD = "|".join(sorted(_KIND_OF, key=len, reverse=True))
_NUMBER = r"0*[1-9]\d?(?!\d)|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九]"
_AFTER = re.compile(rf"(?<![a-z])(?P<word>{_WORD})[\s\-_#:.，、（(]{{0,3}}(?:第|no\.?\s?)?(?P<number>{_NUMBER})")
_BEFORE = re.compile(rf"第\s?(?P<number>{_NUMBER})\s?[次个份章]?\s?(?:课后|上机|编程)?\s?(?P<word>{_WORD})")
_LEAST_TITLE = 4  # characters; a shorter one can be part of anything


class Known(NamedTuple):
    """An assignment, by what it is called."""

    id: str
    titles: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Names that only its files have, without their ends: mlp of mlp.py."""


class Named(NamedTuple):
    """What a text names."""

    ids: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()
    """What reads like an assignment and is none of the course's, as it is written."""


def named_in(said: str, known: Iterable[Known]) -> Named:
    """Return the assignments that a text names by id or number."""
    every = list(known)
    plain = unicodedata.normalize("NFKC", said).lower()
    found: set[str] = {one.id for one in every if re.search(rf"(?<![a-z0-9]){re.escape(one.id)}(?![0-9])", plain)}
    others: list[str] = []
    for match in (*_AFTER.finditer(plain), *_BEFORE.finditer(plain)):
        meant = _numbered(_KIND_OF[match["word"]], _value(match["number"]), every)
        found |= meant
        if not meant:
            others.append(match.group().strip())
    return Named(frozenset(found), tuple(dict.fromkeys(others)))


def hinted_in(texts: Iterable[str], files: Iterable[str], known: Iterable[Known]) -> frozenset[str]:
    """Return the assignments whose titles stand in texts, or whose files' names those of the attachments are."""
    every = list(known)
    plain = [unicodedata.normalize("NFKC", said).lower() for said in texts]
    stems = {unicodedata.normalize("NFKC", name).lower().rpartition("/")[2].partition(".")[0] for name in files}
    return frozenset(
        one.id
        for one in every
        if stems & set(one.files)
        or any(title.lower() in said for title in one.titles if len(title) >= _LEAST_TITLE for said in plain)
    )


def _numbered(kind: str, number: int, known: list[Known]) -> set[str]:
    """Return the assignments of that number: those whose id says that kind (hw2, lab2), else all."""
    same = {one.id for one in known if _own_number(one.id) == number}
    of_kind = {one for one in same if _KIND_OF.get(one.rstrip("0123456789").rstrip("-")) == kind}
    return of_kind or same


def _own_number(assignment_id: str) -> int | None:
    match = re.search(r"\d+$", assignment_id)
    return int(match.group()) if match else None


def _value(said: str) -> int:
    if said.isdecimal():
        return int(said)
    tens, ten, ones = said.rpartition("十")
    return (_DIGITS.get(tens, 1) * 10 if ten else 0) + _DIGITS.get(ones, 0)
