from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autograder.ledger.database import Ledger
from autograder.ledger.models import HandedInBy, Recognition, Student, SubmissionRow

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger") as opened:
        yield opened


@pytest.fixture
def submitted(ledger):
    """A ledger with one student's submission to hw1, number 1."""
    with ledger.writing() as session:
        session.add(Student(id="2026017", name="张三", pseudonym="amber-fox"))
        session.flush()
        session.add(submission())
    return ledger


def submission(student="2026017", *, assignment="hw1", sha256="ab" * 32, origin="folder:a", received=NOW):
    row = SubmissionRow(
        assignment=assignment, sha256=sha256, name="a.py", origin=origin, received=received, collected=NOW, notes=[]
    )
    row.recognitions = [Recognition(how="id", who="collect", at=NOW, students=[HandedInBy(student_id=student)])]
    return row
