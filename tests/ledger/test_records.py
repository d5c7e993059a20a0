from __future__ import annotations

import math

from sqlalchemy import select

from autograder.ledger.models import Attempt
from autograder.ledger.records import Circumstances, attempts_in_force, record, report_of
from autograder.results import MetricResult, Status
from tests.test_results import make_check, make_report

CIRCUMSTANCES = Circumstances(
    key="k" * 64, measured="m" * 64, assignment_sha256="2" * 64, host="here", limits={"memory_mb": 4096}
)

NMSE = MetricResult(
    value=math.inf, values=(math.nan, math.inf, 0.25), full=0.01, zero=0.5, scale="log", score=2.5, max_points=10.0
)


def recorded(ledger, *reports, submission=1):
    with ledger.writing() as session:
        return [record(session, submission, report, CIRCUMSTANCES).id for report in reports]


def test_a_report_comes_back_as_it_was_recorded(submitted):
    texts = {
        "message": "不对 <b>",
        "expected": "1",
        "came": "2",
        "staff_note": "Traceback …",
        "stdout_tail": "\x1b[31m",
    }
    check = make_check(
        id="test_x::test_z", status=Status.FAILED, hidden=True, frames=("a.py:3",), metrics={"nmse": NMSE}, **texts
    )
    report = make_report(make_check(), check, metrics={"nmse": NMSE}, message="a message", seeds=(0, 1, 2))
    recorded(submitted, report)
    with submitted.reading() as session:
        back = report_of(session.scalars(select(Attempt)).one())
    # NaN is not equal to itself; as JSON both are texts.
    assert back.model_dump_json() == report.model_dump_json()


def test_the_newest_attempt_is_in_force(submitted):
    recorded(submitted, make_report(score=5.0), make_report(score=7.0))
    with submitted.reading() as session:
        assert attempts_in_force(session)[1].score == 7.0


def test_our_own_fault_is_not_a_grade_and_hides_none(submitted):
    recorded(submitted, make_report(status=Status.INTERNAL, score=0.0))
    with submitted.reading() as session:
        assert attempts_in_force(session) == {}
    recorded(submitted, make_report(score=5.0), make_report(status=Status.INTERNAL, score=0.0))
    with submitted.reading() as session:
        assert attempts_in_force(session)[1].score == 5.0
