"""Room on the disks of a run. A full one must stop it: what students' code then does is no fault of theirs."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from autograder.collect.store import NotWrittenError
from autograder.ledger.database import Ledger
from autograder.limits import MB
from autograder.messages import text

_LEAST_MB = 16  # for a few hundred attempts' rows, and for the files of those that run

_DISK_ERRORS = frozenset([sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR])
_PRIMARY = 0xFF  # of SQLite's codes, which have details above it


def require_space(ledger: Path) -> None:
    """Look whether the ledger and what is temporary can be written to.

    Raises:
        NotWrittenError: there is no room; says where.
    """
    for folder in (ledger, Path(tempfile.gettempdir())):
        free = shutil.disk_usage(folder).free
        if free < _LEAST_MB * MB:
            said = text("run.disk_full", folder=folder, free=f"{free / MB:.1f}")
            raise NotWrittenError(said, hint=text("run.disk_full_hint"))


@contextmanager
def recording(ledger: Ledger) -> Iterator[Session]:
    """Give a session to write to a ledger with.

    Raises:
        NotWrittenError: what was written in the block could not be recorded; nothing of it is.
    """
    try:
        with ledger.writing() as session:
            yield session
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) & _PRIMARY not in _DISK_ERRORS:
            raise
        said = text("run.not_recorded", file=ledger.path, problem=error.orig)
        raise NotWrittenError(said, hint=text("run.disk_full_hint")) from None
