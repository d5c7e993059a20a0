"""The message catalogue: every text a user reads, by key, in English and Chinese.

`text("check.timeout", seconds=60)` gives the text in the language in force. Texts that authors write for an assignment
come as `Text(en, zh)`. Only the standard library is imported here: `grade --help` needs this before anything else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from autograder.messages import en, zh
from autograder.messages.remembered import Remembered, of_key, recipe_of

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
CATALOGUES: Mapping[Language, Mapping[str, str]] = {"en": en.MESSAGES, "zh": zh.MESSAGES}

_WINDOWS_CHINESE_PRIMARY_ID = 0x04  # low ten bits of a Windows language id: LANG_CHINESE

_language: Language = "en"
_remembers = False


@dataclass(frozen=True)
class Text:
    """A text in both languages; English stands in where the Chinese is missing."""

    # Read by pydantic where a Text is a field of a model: a misspelt language is an error.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    en: str
    zh: str | None = None

    def __str__(self) -> str:
        return self.zh if _language == "zh" and self.zh is not None else self.en


def set_language(language: Language) -> None:
    """Make `language` the one that `text` and `str(Text)` answer in."""
    global _language  # noqa: PLW0603 - one command, one language; threading it through every call would say no more
    _language = language


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Answer in another language than the user's while the block runs: what is written may be for others."""
    before = _language
    set_language(language)
    try:
        yield
    finally:
        set_language(before)


def language() -> Language:
    """Return the language in force."""
    return _language


def text(key: str, /, **values: object) -> str:
    """Return the catalogue's text for `key`, its placeholders filled from `values`.

    Raises:
        KeyError: no such key; a test compares the keys used with the catalogue.
    """
    said = CATALOGUES[_language][key].format(**values)
    return of_key(said, key, values) if _remembers else said


@contextmanager
def remembering() -> Iterator[None]:
    """Have texts remember what they are made of, so that `retold` can say in another language what was recorded."""
    global _remembers  # noqa: PLW0603 - as the language
    before, _remembers = _remembers, True
    try:
        yield
    finally:
        _remembers = before


def retold(recipe: Any, otherwise: str) -> str:
    """Return a text that was recorded, in the language in force.

    Args:
        recipe: what it is made of, as `recipe_of` gave it.
        otherwise: what was said then: where it is not made of the catalogue's texts, or of those of another version.
    """
    try:
        return _told(recipe) if isinstance(recipe, dict) else otherwise
    except (AttributeError, LookupError, TypeError, ValueError):
        return otherwise


def _told(recipe: Any) -> Any:
    if not isinstance(recipe, dict):
        return recipe
    if "joined" in recipe:
        return joined(*map(_told, recipe["joined"]))
    return text(recipe["key"], **{name: _told(value) for name, value in recipe["values"].items()})


def joined(*sentences: str | None) -> str:
    """Return sentences as one line: nothing stands between two where the first ends as Chinese ones do."""
    line = ""
    for sentence in filter(None, sentences):
        line += sentence if not line or line.endswith(("。", "？", "！", "；")) else f" {sentence}"
    if _remembers:
        return Remembered(line, {"joined": [recipe_of(sentence) for sentence in sentences if sentence]})
    return line


def printable(said: str) -> str:
    """Return a text without control characters, line ends apart: escape sequences could repaint the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in said)


def detect_language(argv: list[str], environ: Mapping[str, str] = os.environ) -> Language:
    """Find the user's language: `--lang`, then GRADE_LANG, then the system's locale."""
    asked = _lang_option(argv) or environ.get("GRADE_LANG", "")
    if asked in LANGUAGES:
        return asked
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "zh" if _windows_speaks_chinese() else "en"


def _lang_option(argv: list[str]) -> str:
    """Read `--lang zh` before click does: help texts are needed while the commands are being defined."""
    for position, argument in enumerate(argv):
        if argument == "--lang" and position + 1 < len(argv):
            return argv[position + 1]
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")
    return ""


def _windows_speaks_chinese() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    return bool(ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == _WINDOWS_CHINESE_PRIMARY_ID)
