"""Opening a ledger: its file, its settings, its migrations, and what keeps two writers from each other."""

from __future__ import annotations

import gc
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
from sqlalchemy import Engine, column, create_engine, event, inspect, select, table
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from autograder.errors import UsageError
from autograder.messages import text

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = "ledger"
FILE = "ledger.sqlite"
NEWEST = "0003"  # of the migrations
_BUSY_S = 30  # how long a writer waits for another one; each transaction takes milliseconds
_MIGRATIONS = "autograder:ledger/migrations"


class Ledger:
    """An open ledger, at its newest version.

    Args:
        folder: where it lies: `ledger/` in the course's folder. Made where it is missing.

    Raises:
        UsageError: what lies there is no ledger, or one of a newer version of grade.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        _make_folder(folder)
        self._engine = _engine(self.path)
        try:
            _migrate(self._engine, self.path)
        except DatabaseError as error:
            self._engine.dispose()
            raise UsageError(
                text("ledger.unreadable", file=self.path, problem=error.orig), hint=text("ledger.unreadable_hint")
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session to read with; nothing is kept of what is written in it."""
        with Session(self._engine) as session, _without_collection():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose rows are all recorded at the end of the block, or none of them."""
        # The right to write is taken at the start: a read and the write that follows from it are one step.
        writer = self._engine.execution_options(writes=True)
        with Session(writer, expire_on_commit=False) as session, session.begin(), _without_collection():
            yield session

    @property
    def engine(self) -> Engine:
        """The database itself."""
        return self._engine

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no garbage: what is read is kept, and looking through it again and again takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.mkdir(parents=True, mode=0o700)  # grades are nobody else's business
    # It lies in the course's folder, which most keep in git; a ledger there would publish every grade.
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        connect_args={"timeout": _BUSY_S},
        json_serializer=_text_of,
        json_deserializer=_document_in,
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: object) -> None:
        # Python's own transactions begin at the first write. Here they begin as `_begun` says:
        # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")  # readers don't wait for the writer, nor it for them
        connection.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _text_of(document: Any) -> str:
    """Return a document as JSON; by the fast writer, but for what it would write null for: NaN and Infinity."""
    made = msgspec.json.encode(document, enc_hook=_plain)
    return json.dumps(document) if b"null" in made else made.decode()


def _plain(value: object) -> str:
    """Return a text that remembers what it is made of as one that does not."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"no plain value: {value!r}")


def _document_in(text: str) -> Any:
    """Return what a JSON text says: by the fast reader, which knows neither NaN nor Infinity, where it can."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


def migration_config() -> Config:
    """Return Alembic's settings."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    return config


def _migrate(engine: Engine, path: Path) -> None:
    """Bring the tables to the newest version; each step is one transaction with the record that it ran."""
    current = _version(engine)
    if current == NEWEST:
        return
    # Importing Alembic takes longer than most commands do.
    from alembic import command
    from alembic.script import ScriptDirectory

    config = migration_config()
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise UsageError(text("ledger.newer", file=path, version=current), hint=text("ledger.newer_hint"))
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    os.chmod(path, 0o600)  # noqa: PTH101


def _version(engine: Engine) -> str | None:
    """Return the newest migration that ran; None: the ledger is new."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
