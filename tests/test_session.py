from __future__ import annotations

import pytest

from autograder.course import load_course
from autograder.judge import CheckFailed
from autograder.judge import session as module
from autograder.judge.advice import Advice
from autograder.judge.calls import CheckMistake
from autograder.judge.listener import Listener
from autograder.judge.marker import CheckSpec
from autograder.judge.options import AttemptOptions
from autograder.judge.session import JudgeSession, is_in_task
from autograder.messages import Text
from autograder.results import Status
from autograder.submission import Submission
from tests.tiny_course import make_course


class Boxes:
    """No box: what the session asks of boxes is noted."""

    def __init__(self, spec, entry, listener, spare=None):
        self.spec, self.entry, self.listener = spec, entry, listener
        self.began = []

    def begin_check(self, **how):
        self.began.append(how)

    def end_check(self):
        return Advice("printed")


class Ear(Listener):
    def __init__(self):
        self.heard = []

    def check_started(self, title, number, total):
        self.heard.append((title, number, total))

    def check_finished(self, result):
        self.heard.append(result.status)


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "Boxes", Boxes)
    assignment = load_course(make_course(tmp_path)).assignment("hw1")
    return lambda **options: JudgeSession(
        assignment, Submission("sums.py", {"sums.py": b"import torch"}, "sums.py"), AttemptOptions(**options)
    )


@pytest.fixture
def session(make):
    return make()


def check(name="test_add", task="1.1", points=10.0, *, hidden=False, needs=()):
    return CheckSpec(f"test_x::{name}", name, task, points, tuple(needs), hidden, Text(f"title of {name}"), "a hint")


def run(session, spec, raised=None, **metrics):
    session.begin(spec)
    for name, values in metrics.items():
        for value in values:
            session.record(name, value)
    return session.finish(spec, raised)


@pytest.mark.parametrize(
    ("task", "asked", "inside"),
    [("2.1", "2.1", True), ("2.1", "2", True), ("2", "2", True), ("2", "2.1", False), ("21", "2", False),
     ("2.10", "2.1", False), ("1.2", "2", False), ("2.1.3", "2.1", True), ("2", "", False)],
)  # fmt: skip
def test_is_in_task(task, asked, inside):
    assert is_in_task(task, asked) is inside


@pytest.mark.parametrize(
    ("options", "name", "task", "wanted"),
    [
        ({}, "test_add", "1.1", True),
        ({"tasks": ("1",)}, "test_add", "1.1", True),
        ({"tasks": ("2", "3")}, "test_add", "1.1", False),
        ({"tasks": ("2", "1.1")}, "test_add", "1.1", True),
        ({"checks": ("test_add",)}, "test_add", "1.1", True),
        ({"checks": ("test_add",)}, "test_add[3]", "1.1", True),
        ({"checks": ("test_add[3]",)}, "test_add[3]", "1.1", True),
        ({"checks": ("test_add[3]",)}, "test_add[4]", "1.1", False),
        ({"checks": ("test_ad",)}, "test_add", "1.1", False),
        ({"checks": ("test_add",), "tasks": ("2",)}, "test_add", "1.1", False),
    ],
)
def test_which_checks_are_wanted(make, options, name, task, *, wanted):
    assert make(**options).wants(check(name, task)) is wanted


def test_one_seed_or_all(make):
    assert make().seeds == (0,)
    assert make(full=True).seeds == (0, 1, 2)


def test_the_box_is_given_files_limits_device_and_trainings(make):
    boxes = make(device="cpu").boxes
    assert (boxes.spec.files, boxes.spec.main) == ({"sums.py": b"import torch"}, "sums.py")
    assert (boxes.spec.device, boxes.spec.frameworks, boxes.spec.limits.call_s) == ("cpu", ("torch",), 30)
    assert boxes.entry.trainings == ("slope",)


def test_a_check_that_passes_earns_its_points(session):
    result = run(session, check())
    assert (result.status, result.score, result.max_points) == (Status.PASSED, 10.0, 10.0)
    assert (result.title, result.message, result.hint, result.stdout_tail) == ("title of test_add", "", "", "printed")
    assert session.results == {"test_add": result}


def test_a_check_that_fails_earns_nothing_and_shows_its_hint(session):
    result = run(session, check(), CheckFailed("5", "6"))
    assert (result.status, result.score) == (Status.FAILED, 0.0)
    assert (result.expected, result.came, result.hint) == ("5", "6", "a hint")


# --- metrics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "status", "score"),
    [([0.5], "passed", 10.0), ([1.5], "partial", 5.0), ([2.5], "failed", 0.0), ([0.5, 9.0, 1.5], "partial", 5.0),
     ([float("nan")], "failed", 0.0), ([0.0, float("nan"), float("inf")], "failed", 0.0)],
)  # fmt: skip
def test_a_metric_earns_by_its_thresholds(session, values, status, score):
    result = run(session, check(), error=values)
    assert (result.status, result.score) == (status, pytest.approx(score))
    metric = result.metrics["error"]
    assert (metric.full, metric.zero, metric.score, metric.max_points) == (0.5, 2.5, pytest.approx(score), 10.0)
    assert result.hint == ("" if status == "passed" else "a hint")


def test_a_metric_of_a_check_that_failed_is_kept_and_earns_nothing(session):
    spec = check()
    session.begin(spec)
    session.record("error", 0.0)
    result = session.finish(spec, CheckFailed("a", "b"))
    assert (result.status, result.score) == (Status.FAILED, 0.0)
    assert (result.metrics["error"].value, result.metrics["error"].score) == (0.0, 0.0)


def test_a_metric_without_thresholds_is_shown_and_not_graded(session):
    result = run(session, check(), loss=[3.0])
    assert (result.status, result.score) == (Status.PASSED, 10.0)
    assert (result.metrics["loss"].value, result.metrics["loss"].full) == (3.0, None)


def test_shown_and_graded_metrics_go_together(session):
    result = run(session, check(), loss=[9.0], error=[1.5], accuracy=[0.1])
    assert result.score == pytest.approx(5.0)
    assert set(result.metrics) == {"loss", "error", "accuracy"}


def test_two_graded_metrics_in_a_check_are_its_authors_mistake(session):
    spec = session.assignment.spec
    object.__setattr__(spec, "metrics", spec.metrics | {"second": spec.metrics["error"]})
    session.begin(check())
    session.record("error", 0.0)
    with pytest.raises(CheckMistake, match="error and second") as caught:
        session.record("second", 0.0)
    assert session.finish(check(), caught.value).status is Status.INTERNAL


def test_values_of_one_check_do_not_reach_the_next(session):
    run(session, check(), error=[0.0])
    assert run(session, check("test_other")).metrics == {}


@pytest.mark.parametrize("value", [None, "high", [1.0], object()])
def test_a_metric_that_is_no_number_is_an_error_in_the_check(session, value):
    session.begin(check())
    with pytest.raises((TypeError, ValueError)):
        session.record("error", value)


# --- needs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "met"),
    [([0.0], None, True), ([1.5], None, True), ([9.0], None, False), ([], CheckFailed("a", "b"), False),
     ([], ValueError("ours"), False)],
)  # fmt: skip
def test_a_need_is_met_by_a_check_that_earned_something(session, values, error, met):
    run(session, check(), error, **({"error": values} if values else {}))
    reason = session.unmet_need(check("test_slope", needs=["test_add"]))
    assert (reason == "") is met
    assert met or "title of test_add" in reason


def test_with_a_task_what_it_needs_is_run_whatever_task_that_is_in(make):
    checks = [check("a"), check("b", needs=["a"]), check("c", "2", needs=["b", "gone"]), check("d", "2"), check("e")]
    assert make(tasks=("2",)).chosen(checks) == {"a", "b", "c", "d"}
    assert make(tasks=("1",)).chosen(checks) == {"a", "b", "e"}
    assert make(checks=("c",)).chosen(checks) == {"c"}  # an author's, to run one by itself
    assert make().chosen(checks) == {"a", "b", "c", "d", "e"}


def test_what_is_only_needed_is_reported_where_it_failed_and_without_points(make):
    session = make(tasks=("2",))
    checks = [check("a"), check("b"), check("c", "2", needs=["a", "b"])]
    session.chosen(checks)
    for one, error in zip(checks, ([0.0], [9.0], [0.0]), strict=True):
        run(session, one, error=error)
    assert [(result.title, result.max_points) for result in session.reported()] == [
        ("title of b", 0.0), ("title of c", 10.0),
    ]  # fmt: skip
    assert session.reported()[0].metrics["error"].max_points == 0.0


def test_a_need_that_was_not_run_here_does_not_hold_a_check_up(session):
    assert session.unmet_need(check(needs=["test_other"])) == ""


def test_a_skipped_check_says_why_and_skips_those_that_need_it(session):
    session.begin(check())
    result = session.finish(check(), None, skipped="it needs more")
    assert (result.status, result.score, result.message) == (Status.SKIPPED, 0.0, "it needs more")
    assert session.unmet_need(check("test_slope", needs=["test_add"]))


def test_the_listener_hears_of_each_check(make):
    ear = Ear()
    session = make(listener=ear)
    session.expect([check(), check("test_slope")])
    run(session, check())
    run(session, check("test_slope"), CheckFailed("a", "b"))
    assert ear.heard == [
        ("title of test_add", 1, 2), Status.PASSED, ("title of test_slope", 2, 2), Status.FAILED,
    ]  # fmt: skip


def test_the_boxes_are_told_how_many_hidden_checks_are_to_come(session):
    checks = [check("a"), check("b", hidden=True), check("c", hidden=True)]
    session.expect(checks)
    for one in checks:
        run(session, one)
    assert session.boxes.began == [
        {"hidden": False, "hidden_left": 2}, {"hidden": True, "hidden_left": 1}, {"hidden": True, "hidden_left": 0},
    ]  # fmt: skip
