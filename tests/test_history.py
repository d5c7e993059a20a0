"""What is kept of each attempt, and that keeping it never costs a student anything."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autograder import history
from autograder.course import load_course
from autograder.history import Attempt, Scope, attempts, record, summarise
from autograder.results import MetricResult, Status
from autograder.validate import validate
from tests.test_results import make_check, make_report
from tests.tiny_course import SOLUTION, attempt, environment, grade, make_course, write


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path / "course")


def kept(course):
    return sorted((course / ".grade" / "attempts" / "hw1").glob("*"))


def one(score=5.0, most=10.0, *, scope=Scope.PUBLIC, status=Status.PARTIAL):
    return Attempt(
        scope=scope, assignment="hw1", submission="a.py", started_at=datetime(2026, 10, 12, tzinfo=UTC),
        status=status, score=score, max_points=most,
    )  # fmt: skip


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_an_attempt_comes_back_as_it_was(tmp_path):
    record(tmp_path, make_report(), Scope.PUBLIC)
    (found,) = attempts(tmp_path, "hw1")
    assert (found.scope, found.submission, found.status, found.score, found.max_points) == (
        "public", "感知机.py", Status.PARTIAL, 5.0, 10.0,
    )  # fmt: skip
    assert found.started_at == datetime(2026, 10, 12, 23, 59, tzinfo=UTC)


def test_attempts_come_oldest_first_and_each_assignment_has_its_own(tmp_path):
    for score in (3.0, 9.0, 1.0):
        record(tmp_path, make_report(score=score), Scope.PUBLIC)
    record(tmp_path, make_report(assignment="hw2"), Scope.PUBLIC)
    assert [found.score for found in attempts(tmp_path, "hw1")] == [3.0, 9.0, 1.0]
    assert len(attempts(tmp_path, "hw2")) == 1
    assert attempts(tmp_path, "hw3") == []


def test_nothing_of_it_can_be_committed(tmp_path):
    record(tmp_path, make_report(), Scope.PUBLIC)
    assert (tmp_path / ".grade" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_gitignore_that_is_there_stays(tmp_path):
    write(tmp_path / ".grade" / ".gitignore", "mine\n")
    record(tmp_path, make_report(), Scope.PUBLIC)
    assert (tmp_path / ".grade" / ".gitignore").read_text(encoding="utf-8") == "mine\n"


def test_security_what_a_student_may_not_see_is_not_kept(tmp_path):
    secret = "hidden input 4.25"
    check = make_check(hidden=True, status=Status.ERROR, score=0.0, message=secret, staff_note=secret, came=secret)
    path = record(tmp_path, make_report(check, make_check(staff_note=secret)), Scope.HIDDEN)
    assert secret not in path.read_text(encoding="utf-8")


def test_security_what_hidden_checks_measure_is_not_kept(tmp_path):
    metric = {"nmse_elsewhere": MetricResult(value=4.25, values=(4.25,))}
    path = record(tmp_path, make_report(make_check(hidden=True, metrics=metric), metrics=metric), Scope.HIDDEN)
    assert "nmse_elsewhere" not in path.read_text(encoding="utf-8")


def test_what_the_code_printed_is_not_kept(tmp_path):
    path = record(tmp_path, make_report(make_check(stdout_tail="epoch 1\n" * 100)), Scope.PUBLIC)
    assert "epoch" not in path.read_text(encoding="utf-8")


def test_of_a_huge_report_the_totals_are_kept(tmp_path):
    path = record(tmp_path, make_report(make_check(message="感" * history.MAX_BYTES)), Scope.PUBLIC)
    assert path.stat().st_size < 1000
    assert [found.score for found in attempts(tmp_path, "hw1")] == [5.0]


def test_a_metric_that_is_not_a_number_can_be_kept(course):
    report = attempt(course, SOLUTION.replace("return sum(", "return float('nan') + sum("))
    record(course, report, Scope.PUBLIC)
    assert len(attempts(course, "hw1")) == 1


# --- what counts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tried", "best", "latest", "counted"),
    [
        ([], None, None, 0),
        ([one(3)], 3, 3, 1),
        ([one(3), one(9), one(5)], 9, 5, 3),
        ([one(8), one(10, scope=Scope.PART)], 8, 8, 1),
        ([one(8), one(10, scope=Scope.HIDDEN)], 8, 8, 1),
        ([one(8), one(10, scope=Scope.FULL)], 8, 8, 1),  # other seeds, other thresholds
        ([one(8), one(0, status=Status.INTERNAL)], 8, 8, 1),  # our fault
        ([one(8, 10), one(9, 20)], 8, 9, 2),  # the checks have changed since: shares compare, points don't
        ([one(0, 0)], 0, 0, 1),
    ],
)
def test_best_and_latest(tried, best, latest, counted):
    found = summarise(tried)
    assert (found.best.score if found.best else None, found.latest.score if found.latest else None) == (best, latest)
    assert found.counted == counted


@pytest.mark.parametrize(
    ("arguments", "scope"),
    [((), Scope.PUBLIC), (("--full",), Scope.FULL), (("--task", "1.1"), Scope.PART), (("--hidden",), Scope.HIDDEN),
     (("--hidden", "--task", "2"), Scope.HIDDEN)],
)  # fmt: skip
def test_check_keeps_what_it_was_asked_for(course, arguments, scope):
    write(course / "sums.py", SOLUTION)
    assert grade("check", "hw1", "sums.py", *arguments, cwd=course).returncode == 0
    assert [found.scope for found in attempts(course, "hw1")] == [scope]


def test_validate_keeps_nothing(course):
    assignment = load_course(course).assignment("hw1")
    validate([assignment], workers=1, tell=lambda *_: None)
    assert not (course / ".grade").exists()


def test_a_usage_error_keeps_nothing(course):
    assert grade("check", "hw1", "nothing.py", cwd=course).returncode == 2
    assert not (course / ".grade").exists()


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_the_oldest_go_and_the_best_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "KEPT", 5)
    for score in (1.0, 10.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0):
        record(tmp_path, make_report(score=score), Scope.PUBLIC)
    assert [found.score for found in attempts(tmp_path, "hw1")] == [10.0, 4.0, 5.0, 6.0, 7.0, 8.0]


def test_what_is_not_ours_is_never_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "KEPT", 2)
    folder = tmp_path / ".grade" / "attempts" / "hw1"
    foreign = [
        write(folder / name, "{}")
        for name in (
            "notes.txt",
            "0.json",
            "20200101T000000000000-00000000.json",
            "20200101T000000000001-00000000.json",
        )
    ]
    for score in (1.0, 2.0, 3.0, 4.0):
        record(tmp_path, make_report(score=score), Scope.PUBLIC)
    assert [found.score for found in attempts(tmp_path, "hw1")] == [3.0, 4.0]
    assert all(path.exists() for path in foreign)


def test_two_gradings_at_once_lose_nothing(tmp_path):
    code = (
        "import sys; from pathlib import Path; from autograder.history import Scope, record; "
        "from autograder.results import Report; report = Report.model_validate_json(sys.stdin.read())\n"
        "for _ in range(20): assert record(Path(sys.argv[1]), report, Scope.PUBLIC)"
    )
    document = make_report().model_dump_json().encode()
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, env=environment())
        for _ in range(4)
    ]
    for process in running:
        process.communicate(document, timeout=60)
    assert [process.returncode for process in running] == [0] * 4
    assert len(attempts(tmp_path, "hw1")) == 80
    assert {path.suffix for path in kept(tmp_path)} == {".json"}


# --- a folder that has been through something -----------------------------------------------------------------------

DAMAGED = ("", "{", "[]", "null", '{"version": 2}', '{"version": 1}', "\x00\xff", "9" * (history.MAX_BYTES + 1))


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: content[:12].encode("unicode_escape").decode())
def test_a_damaged_file_is_passed_over(tmp_path, content):
    path = record(tmp_path, make_report(), Scope.PUBLIC)
    path.with_name("20200101T000000000000-00000000.json").write_text(content, encoding="utf-8")
    assert len(attempts(tmp_path, "hw1")) == 1


@pytest.mark.parametrize(
    "wrong", [{"score": float("inf")}, {"score": -1.0}, {"assignment": "hw9"}, {"status": "splendid"}]
)
def test_a_record_that_cannot_be_is_passed_over(tmp_path, wrong):
    path = record(tmp_path, make_report(), Scope.PUBLIC)
    path.write_text(one().model_copy(update=wrong).model_dump_json(warnings=False), encoding="utf-8")
    assert attempts(tmp_path, "hw1") == []


def test_what_a_later_version_adds_is_passed_over(tmp_path):
    path = record(tmp_path, make_report(), Scope.PUBLIC)
    path.write_text(one().model_dump_json()[:-1] + ', "mood": "good"}', encoding="utf-8")
    assert attempts(tmp_path, "hw1") == [one()]


@pytest.mark.parametrize("place", [".grade", ".grade/attempts", ".grade/attempts/hw1"])
def test_a_file_where_a_folder_should_be_costs_nothing(course, place):
    write(course / place, "in the way")
    write(course / "sums.py", SOLUTION)
    assert record(course, make_report(), Scope.PUBLIC) is None
    result = grade("check", "hw1", "sums.py", cwd=course)
    assert (result.returncode, result.stderr) == (0, b"")
    assert grade("list", cwd=course).returncode == 0


def test_folders_and_links_among_the_records_cost_nothing(tmp_path):
    path = record(tmp_path, make_report(), Scope.PUBLIC)
    path.with_name("20200101T000000000000-00000000.json").mkdir()
    path.with_name("20200101T000000000001-00000000.json").symlink_to("nowhere")
    assert len(attempts(tmp_path, "hw1")) == 1


def test_a_course_that_cannot_be_written_costs_nothing(course):
    write(course / "sums.py", SOLUTION)
    course.chmod(0o555)
    if os.access(course, os.W_OK):
        pytest.skip("this user may write everywhere")
    try:
        result = grade("check", "hw1", "sums.py", cwd=course)
    finally:
        course.chmod(0o755)
    assert (result.returncode, result.stderr) == (0, b"")
    assert not (course / ".grade").exists()


def test_a_disk_that_refuses_costs_nothing(tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert record(tmp_path, make_report(), Scope.PUBLIC) is None
    assert kept(tmp_path) == []
