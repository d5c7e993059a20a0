"""The English texts, a file for each part of the program."""

from __future__ import annotations

from importlib import import_module

from autograder.messages.parts import PARTS

MESSAGES: dict[str, str] = {}
for _part in PARTS:
    MESSAGES |= import_module(f"{__name__}.{_part}").MESSAGES
