"""What a source finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Found:
    """Something that was handed in."""

    key: str
    """What the source calls it, the same each time: a path in an archive, a message's id."""
    name: str
    """Of the file or folder, as it came."""
    received: datetime
    files: dict[str, bytes]
    texts: tuple[str, ...]
    """Where a student's number or name may stand, the most telling first: names of files and folders, a subject."""
    aliases: tuple[tuple[str, str], ...] = ()
    """Names by which the source itself knows the student: (source, name), as in the roster."""
    doubt: str = ""
    """Why it may be somebody else's than it says: then nobody gets it, and a human decides."""
    candidates: tuple[str, ...] = ()
    """The numbers of those who may be meant, where there is a doubt."""
    notes: tuple[str, ...] = ()
    """What whoever grades it should know: a date that can't be right, a link that was left out."""


@dataclass(frozen=True)
class Refused:
    """Something that could not be taken."""

    key: str
    name: str
    problem: str


class Source(Protocol):
    """Where submissions come from."""

    @property
    def label(self) -> str:
        """What this source is called in the ledger: `folder:downloads`."""
        ...

    def __iter__(self) -> Iterator[Found | Refused]:
        """Yield what was handed in."""
        ...
