"""Which source is meant by what somebody named: a path, or an address that begins with the source's scheme."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from autograder.collect.folder import open_source
from autograder.collect.found import Source
from autograder.collect.matching import Student
from autograder.course import LoadedCourse


@dataclass(frozen=True)
class Wanted:
    """What is collected: a source may ask about it, and take no more than it needs."""

    course: LoadedCourse
    assignment: str
    zone: tzinfo
    """The course's."""
    students: tuple[Student, ...]
    """Of the roster, by all names that they are known by."""
    deadlines: Mapping[str, datetime]
    """Until when each student may hand in; empty where the assignment has no deadline."""
    folder: Path
    """Beside the ledger: what a source may keep from one collection to the next lies under it."""
    received: datetime | None = None
    """By what moment it has to have come, where somebody says so; None: now."""


def _git(said: str, wanted: Wanted) -> Source:
    from autograder.collect.git import open_git

    return open_git(said, wanted)


def _hub(said: str, wanted: Wanted) -> Source:
    from autograder.collect.hub import open_hub

    return open_hub(said, wanted)


def _exchange(said: str, wanted: Wanted) -> Source:
    from autograder.collect.exchange import open_exchange

    return open_exchange(said, wanted)


def _mailbox(said: str, wanted: Wanted) -> Source:
    from autograder.collect.mailbox import open_mailbox

    return open_mailbox(said, wanted)


Opener = Callable[[str, Wanted], Source]
OPENERS: dict[str, Opener] = {"git": _git, "hub": _hub, "exchange": _exchange, "imap": _mailbox, "imaps": _mailbox}
"""By the scheme, which ends at the first colon: `imap` of `imap://hw@mail.example.edu/INBOX`."""


def open_named(said: str, wanted: Wanted) -> Source:
    """Return the source for what somebody named.

    Raises:
        UsageError: nothing of that name is known here, or it can't be opened.
    """
    scheme, colon, _ = said.partition(":")
    if colon and scheme in OPENERS:
        return OPENERS[scheme](said, wanted)
    return open_source(Path(said), wanted.zone)
