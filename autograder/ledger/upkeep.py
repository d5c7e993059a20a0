"""Keeping a ledger: is it whole, a copy of it while others write, and everything about one student."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autograder.errors import UsageError
from autograder.ledger.database import Ledger
from autograder.ledger.models import Attempt, CheckRow
from autograder.messages import text

_TOLERANCE = 1e-6  # points; scores are sums of floats


def problems_of(ledger: Ledger) -> list[str]:
    """Return what is wrong with a ledger, in words; nothing where it is whole."""
    # What lies in a damaged file can't be added up.
    if damaged := list(_file_problems(ledger.path)):
        return damaged
    with ledger.reading() as session:
        return [*_reference_problems(ledger.path), *_sum_problems(session)]


def _file_problems(path: Path) -> Iterator[str]:
    try:
        with closing(sqlite3.connect(path)) as connection:
            for (said,) in connection.execute("PRAGMA integrity_check"):
                if said != "ok":
                    yield text("ledger.check_file", problem=said)
    except sqlite3.DatabaseError as error:
        yield text("ledger.check_file", problem=error)


def _reference_problems(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            yield text("ledger.check_reference", table=table, row=row, parent=parent)


def _sum_problems(session: Session) -> Iterator[str]:
    """Yield the attempts whose score is not what their checks add up to."""
    added = (
        select(Attempt.id, Attempt.score, func.coalesce(func.sum(CheckRow.score), 0.0))
        .outerjoin(CheckRow)
        .group_by(Attempt.id, Attempt.score)
    )
    for number, score, added_up in session.execute(added):
        if abs(score - added_up) > _TOLERANCE:
            yield text("ledger.check_sum", attempt=number, score=f"{score:g}", added=f"{added_up:g}")


def back_up(ledger: Ledger, to: Path) -> None:
    """Copy a ledger, whole and as of one moment, while others may go on writing to it.

    Raises:
        UsageError: there is a file of that name already, or it can't be written.
    """
    if to.exists():
        raise UsageError(text("ledger.backup_exists", file=to), hint=text("ledger.backup_exists_hint"))
    unfinished = to.with_name(f"{to.name}.part")
    try:
        unfinished.touch(mode=0o600)
        with closing(sqlite3.connect(ledger.path)) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
        unfinished.rename(to)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        problem = (error.strerror if isinstance(error, OSError) else None) or error  # without the name of the .part
        raise UsageError(text("ledger.backup_failed", file=to, problem=problem)) from None
