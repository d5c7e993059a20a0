from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest
from sqlalchemy import func, select

from autograder.errors import UsageError
from autograder.ledger import upkeep
from autograder.ledger.database import FILE, Ledger
from autograder.ledger.models import Attempt, Event, Student
from tests.ledger.test_database import event
from tests.ledger.test_records import recorded
from tests.test_results import make_check, make_report


def tamper(ledger, statement):
    with closing(sqlite3.connect(ledger.path)) as connection, connection:
        connection.execute(statement)


def test_a_whole_ledger_has_no_problems(submitted):
    recorded(submitted, make_report(make_check(score=2.5), make_check(id="test_x::test_z", score=2.5), score=5.0))
    assert upkeep.problems_of(submitted) == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE attempts SET score = 100", "attempt 1 has 100 points, but its checks add up to 5"),
        ("UPDATE check_results SET score = 10", "attempt 1 has 5 points, but its checks add up to 10"),
        ("DELETE FROM check_results", "attempt 1 has 5 points, but its checks add up to 0"),
        ("DELETE FROM submissions", "submissions"),
        ("UPDATE handed_in_by SET student_id = 'nobody'", "students"),
    ],
)
def test_what_was_tampered_with_is_found(submitted, statement, says):
    recorded(submitted, make_report(make_check(score=5.0), score=5.0))
    tamper(submitted, statement)
    assert any(says in problem for problem in upkeep.problems_of(submitted))


def test_a_damaged_file_is_found(submitted):
    recorded(submitted, *[make_report(make_check(score=5.0, message="x" * 3000), score=5.0) for _ in range(50)])
    submitted.close()
    with closing(sqlite3.connect(submitted.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(submitted.path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = b"\xff" * 8192
    submitted.path.write_bytes(content)
    assert upkeep.problems_of(Ledger(submitted.folder)) != []


def test_a_backup_is_whole_while_somebody_writes(submitted, tmp_path):
    recorded(submitted, make_report(make_check(score=5.0), score=5.0))
    target = tmp_path / "copy" / FILE
    target.parent.mkdir()
    with submitted.writing() as session:
        session.add(event())
        session.flush()
        upkeep.back_up(submitted, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with Ledger(target.parent) as copy, copy.reading() as session:
        assert upkeep.problems_of(copy) == []
        counts = [session.scalar(select(func.count()).select_from(table)) for table in (Student, Attempt, Event)]
    assert counts == [1, 1, 0]


def test_a_backup_never_takes_the_place_of_another(submitted, tmp_path):
    (tmp_path / "old").write_text("precious")
    with pytest.raises(UsageError, match="old"):
        upkeep.back_up(submitted, tmp_path / "old")
    assert (tmp_path / "old").read_text() == "precious"


def test_a_backup_that_fails_leaves_nothing(submitted, tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        upkeep.back_up(submitted, tmp_path / "nowhere" / "copy")
    assert not (tmp_path / "nowhere").exists()
