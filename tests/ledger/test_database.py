from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import threading

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, select, text

from autograder.errors import UsageError
from autograder.ledger.database import FILE, NEWEST, Ledger, migration_config
from autograder.ledger.models import Base, Event, LedgerChanged, Override, Student, SubmissionRow, Unreadable
from autograder.ledger.records import record_unreadable, unreadable
from autograder.ledger.upkeep import problems_of
from autograder.messages import speaking
from tests.ledger.conftest import NOW


def event(kind="test"):
    return Event(at=NOW, who="me", kind=kind, about={})


def test_the_migrations_make_the_tables_that_the_models_describe(ledger):
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_version_is_that_of_the_newest_migration():
    # A constant: asking Alembic takes longer than most commands do.
    assert ScriptDirectory.from_config(migration_config()).get_current_head() == NEWEST


def test_a_ledger_is_opened_again_with_what_was_recorded(tmp_path):
    for count in range(3):
        with Ledger(tmp_path / "ledger") as ledger:
            with ledger.writing() as session:
                session.add(event())
            with ledger.reading() as session:
                assert session.scalar(select(func.count()).select_from(Event)) == count + 1


@pytest.mark.parametrize("version", ["0001", "0002"])
def test_a_ledger_of_an_older_version_keeps_what_it_has(tmp_path, version):
    engine = create_engine(f"sqlite:///{tmp_path / FILE}")
    config = migration_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        connection.execute(text("INSERT INTO students VALUES ('1', '张三', '', '', 'amber-fox', 0)"))
    engine.dispose()
    with Ledger(tmp_path) as ledger, ledger.reading() as session:
        assert session.get(Student, "1").name == "张三"
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_why_something_could_not_be_graded_stays_as_it_was_said_by_an_older_version(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / FILE}")
    config = migration_config()
    at = "2026-12-01 12:00:00.000000"
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(
            text(
                "INSERT INTO submissions (id, assignment, sha256, name, origin, received, collected, notes)"
                f" VALUES (1, 'hw1', 'ab', 'a.md', 'folder:a', '{at}', '{at}', '[]')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO unreadable (id, submission_id, problem, host, at)"
                f" VALUES (1, 1, 'There is no .py file in a.md.', 'host', '{at}')"
            )
        )
    engine.dispose()
    with Ledger(tmp_path) as ledger:
        with ledger.reading() as session, speaking("zh"):
            assert unreadable(session) == {1: "There is no .py file in a.md."}
            assert session.get(Unreadable, 1).said is None
        assert problems_of(ledger) == []
        with ledger.writing() as session:
            record_unreadable(session, {1: "There is no .py file in a.md."}, "host", NOW)
            assert session.scalar(select(func.count()).select_from(Unreadable)) == 1


def test_security_only_its_owner_can_read_a_ledger_and_git_leaves_it_out(ledger):
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger.folder.stat().st_mode) == 0o700
    assert (ledger.folder / ".gitignore").read_text() == "*\n"


def test_a_ledger_of_a_newer_version_is_left_alone(ledger):
    ledger.close()
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = ledger.path.read_bytes()
    with pytest.raises(UsageError, match="9999") as raised:
        Ledger(ledger.folder)
    assert "newer" in raised.value.hint
    assert ledger.path.read_bytes() == before


def test_a_file_that_is_no_ledger_is_said_to_be_none(tmp_path):
    (tmp_path / FILE).write_bytes(b"something else" * 100)
    with pytest.raises(UsageError, match=FILE):
        Ledger(tmp_path)


# --- it only grows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"points": 100.0}, {"who": "somebody else"}])
def test_what_was_recorded_is_not_changed(submitted, change):
    with submitted.writing() as session:
        session.add(Override(assignment="hw1", student_id="2026017", points=5.0, why="why", who="me", at=NOW))

    def tamper():
        with submitted.writing() as session:
            row = session.scalars(select(Override)).one()
            for name, value in change.items():
                setattr(row, name, value)

    with pytest.raises(LedgerChanged):
        tamper()
    with submitted.reading() as session:
        assert session.scalars(select(Override)).one().points == 5.0


@pytest.mark.parametrize("table", [SubmissionRow, Student])
def test_nothing_is_deleted(submitted, table):
    with pytest.raises(LedgerChanged), submitted.writing() as session:
        session.delete(session.scalars(select(table)).one())


def test_a_roster_is_corrected(submitted):
    with submitted.writing() as session:
        session.get(Student, "2026017").name = "张三丰"
    with submitted.reading() as session:
        assert session.get(Student, "2026017").name == "张三丰"


def test_a_moment_needs_its_time_zone_and_keeps_its_meaning(submitted):
    with submitted.reading() as session:
        assert session.scalars(select(SubmissionRow)).one().received == NOW
    with pytest.raises(Exception, match="without a time zone"), submitted.writing() as session:
        session.add(Event(at=NOW.replace(tzinfo=None), who="me", kind="x", about={}))


# --- several at once --------------------------------------------------------------------------------------------------


def test_a_block_that_fails_records_nothing(ledger):
    def fail():
        with ledger.writing() as session:
            session.add(event())
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with ledger.reading() as session:
        assert session.scalar(select(func.count()).select_from(Event)) == 0


def count_up(folder, times):
    """Add events that are numbered by how many there are: wrong as soon as two writers read the same number."""
    with Ledger(folder) as ledger:
        for _ in range(times):
            with ledger.writing() as session:
                count = session.scalar(select(func.count()).select_from(Event))
                session.add(event(f"{count}"))


def test_writers_in_other_processes_wait_for_each_other(ledger):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=count_up, args=(ledger.folder, 20)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    with ledger.reading() as session:
        kinds = list(session.scalars(select(Event.kind).order_by(Event.id)))
    assert kinds == [str(number) for number in range(60)]


def test_readers_do_not_wait_for_a_writer(ledger):
    seen = []

    def read():
        with ledger.reading() as session:
            seen.append(session.scalar(select(func.count()).select_from(Event)))

    with ledger.writing() as session:
        session.add(event())
        session.flush()
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(20)
    assert seen == [0]
