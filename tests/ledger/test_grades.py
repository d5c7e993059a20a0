from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from autograder.late_policy import LatePolicy
from autograder.ledger.corrections import correct
from autograder.ledger.grades import Rules, grades, grades_of, tasks_of, to_grade
from autograder.ledger.models import (
    ExtensionRow,
    HandedInBy,
    Override,
    Recognition,
    Student,
    SubmissionRow,
    Unreadable,
)
from autograder.ledger.people import Author
from autograder.ledger.records import record, record_unreadable, unreadable
from autograder.messages import remembering, speaking, text
from autograder.results import Status
from tests.ledger.conftest import NOW, submission
from tests.ledger.test_records import CIRCUMSTANCES
from tests.test_results import make_check, make_report

LI, ZHANG = "2026001", "2026017"
RULES = Rules("hw1", NOW, 20.0, LatePolicy(per_day=0.1))


@pytest.fixture
def course(ledger):
    """Two students; 张三 has handed in twice, the second time a day late, with 12 and 16 of 20 points."""
    with ledger.writing() as session:
        session.add_all([Student(id=LI, name="李华", pseudonym="a"), Student(id=ZHANG, name="张三", pseudonym="b")])
        session.flush()
        session.add(submission(ZHANG))
        session.add(submission(ZHANG, sha256="cd" * 32, origin="folder:b", received=NOW + timedelta(hours=3)))
    attempt(ledger, 1, 6.0, 6.0)
    attempt(ledger, 2, 6.0, 10.0)
    return ledger


def attempt(ledger, submission_id, *scores, status=Status.PARTIAL):
    checks = [make_check(id=f"test_x::test_{number}", score=score) for number, score in enumerate(scores)]
    with ledger.writing() as session:
        record(session, submission_id, make_report(*checks, score=sum(scores), status=status), CIRCUMSTANCES)


def decide(ledger, check, points, student=ZHANG):
    with ledger.writing() as session:
        session.add(
            Override(assignment="hw1", student_id=student, check_id=check, points=points, why="why", who="me", at=NOW)
        )


def of(ledger, student, rules=RULES):
    with ledger.reading() as session:
        found = grades(session, [rules])[rules.assignment]
        (grade,) = [one for one in found if one.student.id == student]
        return grade.submission and grade.submission.id, grade.score, grade.final


def with_policy(**policy):
    return RULES._replace(policy=LatePolicy(per_day=0.1, **policy))


def test_the_last_one_counts_less_what_lateness_costs(course):
    assert of(course, ZHANG) == (2, 16.0, pytest.approx(14.4))


def test_the_policy_chooses_the_submission(course):
    assert of(course, ZHANG, with_policy(counts="first")) == (1, 12.0, 12.0)
    assert of(course, ZHANG, with_policy(counts="best")) == (2, 16.0, pytest.approx(14.4))
    assert of(course, ZHANG, with_policy(hard_stop_days=0)) == (1, 12.0, 12.0)


def test_who_handed_in_nothing_has_no_grade(course):
    assert of(course, LI) == (None, None, None)


def test_an_extension_takes_the_penalty_away(course):
    with course.writing() as session:
        session.add(ExtensionRow(student_id=ZHANG, assignment="hw1", days=1, who="me", at=NOW))
    assert of(course, ZHANG) == (2, 16.0, 16.0)


def test_a_decision_about_a_check_survives_every_regrade(course):
    decide(course, "test_x::test_0", 10.0)
    assert of(course, ZHANG) == (2, 20.0, pytest.approx(18.0))
    attempt(course, 2, 1.0, 10.0)
    assert of(course, ZHANG) == (2, 20.0, pytest.approx(18.0))
    attempt(course, 2, 1.0, 3.0)
    assert of(course, ZHANG) == (2, 13.0, pytest.approx(11.7))


def test_a_later_decision_takes_the_place_of_an_earlier_one_and_can_be_taken_back(course):
    decide(course, "test_x::test_0", 10.0)
    decide(course, "test_x::test_0", 8.0)
    assert of(course, ZHANG)[1] == 18.0
    decide(course, "test_x::test_0", None)
    assert of(course, ZHANG)[1] == 16.0


def test_a_decision_about_the_whole_assignment_is_final(course):
    decide(course, None, 19.0)
    assert of(course, ZHANG) == (2, 16.0, 19.0)
    decide(course, None, 5.0, student=LI)
    assert of(course, LI) == (None, None, 5.0)


def test_what_cannot_be_graded_has_no_points_until_it_can(course):
    with course.writing() as session:
        session.add(submission(LI, sha256="ee" * 32, origin="folder:c"))
        session.flush()
        record_unreadable(session, {3: "no code in it"}, "host", NOW)
    assert of(course, LI) == (3, 0.0, 0.0)
    decide(course, None, 9.0, student=LI)
    assert of(course, LI) == (3, 0.0, 9.0)
    decide(course, None, None, student=LI)
    attempt(course, 3, 6.0, 6.0)  # a newer version could read it
    assert of(course, LI) == (3, 12.0, 12.0)


def test_why_something_cannot_be_graded_is_noted_once(course):
    def noted():
        with course.reading() as session:
            return [one.problem for one in session.scalars(select(Unreadable).order_by(Unreadable.id))]

    for problem in ("no code in it", "no code in it", "two candidates"):
        with course.writing() as session:
            record_unreadable(session, {1: problem}, "host", NOW)
    assert noted() == ["no code in it", "two candidates"]


def test_why_something_cannot_be_graded_is_told_in_the_language_of_whoever_asks(course):
    def why():
        return text("usage.folder_without_code", folder="a", file="sums.py")

    for language in ("en", "zh"):  # noted once: in Chinese it is the same
        with speaking(language), course.writing() as session:
            with remembering():
                problem = why()
            record_unreadable(session, {1: problem}, "host", NOW)
    with course.reading() as session:
        (row,) = session.scalars(select(Unreadable))
        assert unreadable(session) == {1: why()} == {1: row.problem}
        with speaking("zh"):
            assert unreadable(session) == {1: why()} == {1: row.why()} != {1: row.problem}


def test_a_corrected_time_takes_the_place_of_the_sources_and_of_an_earlier_correction(course):
    def correct_(hours):
        with course.writing() as session:
            correct(session, [session.get(SubmissionRow, 2)], NOW + timedelta(hours=hours), "why", Author("me", NOW))

    assert of(course, ZHANG) == (2, 16.0, pytest.approx(14.4))
    correct_(-1)
    assert of(course, ZHANG) == (1, 12.0, 12.0)  # the other one is the last now
    correct_(0.5)
    assert of(course, ZHANG) == (2, 16.0, pytest.approx(14.4))
    with course.reading() as session:
        assert session.get(SubmissionRow, 2).received == NOW + timedelta(hours=3)  # what was recorded stays


def test_a_corrected_time_decides_what_is_to_be_graded(course):
    with course.writing() as session:
        correct(session, [session.get(SubmissionRow, 2)], NOW - timedelta(hours=1), "why", Author("me", NOW))
    with course.reading() as session:
        assert list(to_grade(session, [RULES], "hw1")) == [1]


def test_our_own_fault_leaves_the_grade_that_was_there(course):
    attempt(course, 2, 0.0, 0.0, status=Status.INTERNAL)
    assert of(course, ZHANG)[1] == 16.0


def test_a_submission_counts_for_all_who_handed_it_in_and_moves_when_reassigned(course):
    def recognise(submission_id, *students):
        with course.writing() as session:
            session.add(
                Recognition(
                    submission_id=submission_id,
                    how="hand",
                    who="me",
                    at=NOW,
                    students=[HandedInBy(student_id=one) for one in students],
                )
            )

    recognise(2, LI, ZHANG)
    assert [of(course, one)[0] for one in (LI, ZHANG)] == [2, 2]
    recognise(2, LI)
    assert [of(course, one)[0] for one in (LI, ZHANG)] == [2, 1]
    recognise(2)
    assert [of(course, one)[0] for one in (LI, ZHANG)] == [None, 1]


@pytest.mark.parametrize("slip_days", [0, 1])
def test_the_grades_of_one_assignment_are_those_among_all(course, slip_days):
    with course.writing() as session:
        session.add(submission(ZHANG, assignment="hw2", sha256="ef" * 32, received=NOW + timedelta(hours=3)))
    attempt(course, 3, 8.0)
    policy = LatePolicy(per_day=0.5, slip_days=slip_days)
    rules = [Rules("hw1", NOW, 20.0, policy), Rules("hw2", NOW, 10.0, policy)]
    with course.reading() as session:
        every = grades(session, rules)
        assert {rule.assignment: grades_of(session, rules, rule.assignment) for rule in rules} == every
    assert [grade.final for name in every for grade in every[name] if grade.student.id == ZHANG] == [
        16.0 if slip_days else 8.0,
        4.0,
    ]


def test_tasks_are_added_up_with_what_was_decided(course):
    def tasks():
        with course.reading() as session:
            return tasks_of(session, "hw1", grades_of(session, [RULES], "hw1"))

    assert tasks() == {ZHANG: {"1": 16.0}}
    decide(course, "test_x::test_0", 9.0)
    assert tasks() == {ZHANG: {"1": 19.0}}
