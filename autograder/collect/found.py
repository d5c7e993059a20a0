"""What a source finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

# What every clock on earth can show. SECURITY: the last second of the year 9999 is a date, and in Shanghai none any
# more: a student's commit, file or folder's name with it would end the collection for all.
_FIRST_S, _LAST_S = 0.0, datetime(9998, 1, 1, tzinfo=UTC).timestamp()


def moment_of(seconds: float) -> datetime:
    """Return the moment of so many seconds since 1970; what is none is the nearest that all clocks can show."""
    return datetime.fromtimestamp(min(max(_FIRST_S, seconds), _LAST_S), UTC)  # in this order: archives can say NaN


def is_shown(moment: datetime) -> bool:
    """Whether every clock on earth can show a moment."""
    return _FIRST_S <= moment.timestamp() <= _LAST_S


class Submitter(NamedTuple):
    """One of several who handed in together, as a source knows them."""

    texts: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()


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
    notes: tuple[str, ...] = ()
    """What was cleaned, and what the source said of it, in words."""
    doubt: str = ""
    """Why it may be somebody else's than it says: then nobody gets it, and a human decides."""
    candidates: tuple[str, ...] = ()
    """The numbers of those who may be meant, where there is a doubt."""
    submitters: tuple[Submitter, ...] = ()
    """Where the source names all who handed it in: they, and nobody by the texts and aliases above."""
    group: str = ""
    """What the source calls the group, where it may be one: groups in the ledger are known by their names, too."""


@dataclass(frozen=True)
class Refused:
    """Something that could not be taken."""

    key: str
    name: str
    problem: str
    texts: tuple[str, ...] = ()
    """As of `Found`: it is listed until something readable comes from the same student."""
    aliases: tuple[tuple[str, str], ...] = ()
    is_nothing: bool = False
    """There is nothing yet, and nobody misses it: it is said now, and not listed."""


class Repeatable:
    """A source that yields everything anew each time: many of its submissions are recorded together, which is faster.

    SECURITY: not for one that notes on its way how far it has come. What it has noted and nobody has recorded would be
    lost. It notes that in `recorded`.
    """

    def recorded(self) -> None:
        """Be told that everything is recorded, what was refused, too."""


class Source(Protocol):
    """Where submissions come from.

    When it is asked for the next, what it has yielded is recorded: it may note how far it has come. That takes a step
    of the disk each; a source that keeps no such note is `Repeatable`.
    """

    @property
    def label(self) -> str:
        """What this source is called in the ledger: `folder:downloads`."""
        ...

    def __iter__(self) -> Iterator[Found | Refused]:
        """Yield what was handed in."""
        ...
