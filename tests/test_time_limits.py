"""How long a training and an attempt may take, and `grade calibrate`, which measures what that follows from."""

from __future__ import annotations

import json

import pytest

from autograder.course import load_course
from autograder.errors import ConfigError, InternalError, UsageError
from autograder.judge import calibration as calibrating
from autograder.judge import limit_words, time_limits
from autograder.judge.options import AttemptOptions
from autograder.judge.session import JudgeSession
from autograder.judge.time_limits import ReferenceTimes, limits_for, reference_times
from autograder.judge.time_limits import benchmark_s as measured_benchmark_s
from autograder.limits import Limits, Needs
from autograder.results import CalibratedSolution, Calibration, Status
from autograder.submission import read_file
from tests.tiny_course import ASSIGNMENT, PUBLIC, SOLUTION, attempt, check_of, grade, make_course, write

FILE = "assignments/hw1_sums/assignment.yml"


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


@pytest.fixture(autouse=True)
def steady(monkeypatch):
    """A machine that takes 10 ms for the benchmark, whatever it does otherwise."""
    monkeypatch.setattr(time_limits, "benchmark_s", lambda: 0.010)
    monkeypatch.setattr(calibrating, "benchmark_s", lambda: 0.010)


def assignment_with(course, more=""):
    write(course / FILE, f"{ASSIGNMENT}{more}")
    return load_course(course).assignment("hw1")


# --- from reference to limit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("training_s", "attempt_s", "limits"),
    [(1.0, 20.0, (60, 900)), (12.03, 100.0, (121, 1000)), (1e4, 1e5, (3600, 14_400))],
)
def test_limits_follow_the_reference_within_floor_and_ceiling(training_s, attempt_s, limits):
    made = limits_for(Limits(), ReferenceTimes(training_s=training_s, attempt_s=attempt_s))
    assert (made.training_s, made.attempt_s) == limits


def test_without_a_reference_the_floors_hold():
    assert limits_for(Limits(), None) == Limits()


def test_the_factor_is_the_courses(course):
    limits = assignment_with(course, "limits: {time_factor: 20}\n").limits
    assert limits_for(limits, ReferenceTimes(training_s=12, attempt_s=1)).training_s == 240


@pytest.mark.parametrize(
    ("then", "slowness"), [(0.010, 1), (0.005, 2), (0.100, 1), (0.0001, 20)], ids=["same", "slower", "faster", "absurd"]
)
def test_stored_times_are_stretched_on_a_slower_machine_and_never_shortened(course, then, slowness):
    stored = "reference_s: {python: 8, torch: 30}\nreference_attempt_s: {python: 100}\n"
    stored += f"benchmark_s: {{python: {then}}}\n"
    times = reference_times(assignment_with(course, stored), None, data_ratio=1)
    assert times == ReferenceTimes(training_s=8 * slowness, attempt_s=100 * slowness)


def test_each_framework_has_its_own_and_more_data_takes_longer(course):
    assignment = assignment_with(course, "reference_s: {torch: 3, tensorflow: 5}\n")
    assert reference_times(assignment, "tensorflow", data_ratio=10).training_s == 50
    # A framework that comes by way of another package: the time that is enough for every solution.
    assert reference_times(assignment, None, data_ratio=1).training_s == 5


def test_nobody_has_measured_it(course):
    assert reference_times(load_course(course).assignment("hw1"), "torch", data_ratio=1) is None


def test_no_training_gets_less_than_60_s(course):
    with pytest.raises(ConfigError, match="no training should have less than 60 s; came 20") as caught:
        assignment_with(course, "limits: {training_s: 20}\n")
    assert caught.value.key == "limits.training_s"


def test_the_benchmark_measures_something():
    assert 1e-5 < measured_benchmark_s() < 5


# --- in an attempt --------------------------------------------------------------------------------------------------

ENDLESS = SOLUTION.replace("return sum(x * y", "while True: pass\n    return sum(x * y")


def session_of(course, more):
    assignment = assignment_with(course, more)
    file = write(course / "student/sums.py", SOLUTION)
    session = JudgeSession(assignment, read_file(file), AttemptOptions())
    session.boxes.close()
    return session


def test_the_box_is_given_the_limits_that_follow(course):
    limits = session_of(course, "reference_s: {python: 9}\nreference_attempt_s: {python: 200}\n").limits
    assert (limits.training_s, limits.attempt_s, limits.call_s) == (90, 2000, 30)
    assert limits.cpu_s > 2000


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("autograder.judge.session.limits_for", lambda limits, _: limits.model_copy(update=SHORT))


SHORT = {"training_s": 1.0}


def test_a_training_that_takes_too_long_is_told_beside_the_reference(course, impatient):
    assignment_with(course, "reference_s: {python: 0.25}\n")
    check = check_of(attempt(course, ENDLESS), "test_slope")
    assert check.status is Status.TIMEOUT
    assert check.message == (
        "the training did not end within 1 s (limits.training_s); the reference solution takes 0.25 s here"
    )
    assert check.hint


def test_a_call_that_does_not_train_has_a_limit_of_its_own(course):
    write(course / FILE, ASSIGNMENT + "limits: {call_s: 1}\n")
    check = check_of(attempt(course, SOLUTION.replace("return a + b", "while True: pass")), "test_add")
    assert check.message == "your code did not come back within 1 s (limits.call_s)"
    write(course / FILE, ASSIGNMENT + "limits: {call_s: 1}\nreference_attempt_s: {python: 2.5}\n")
    check = check_of(attempt(course, SOLUTION.replace("return a + b", "while True: pass")), "test_add")
    assert check.message.endswith("(limits.call_s); the reference solution takes 2.5 s here for all checks together")


@pytest.mark.parametrize(("kind", "said"), [("training", False), ("wall", True), ("attempt", True)])
def test_a_time_of_nothing_is_not_told(kind, said):
    """An assignment without trainings has none; one of a few milliseconds is rounded to it."""
    assert limit_words.beside_reference(kind, ReferenceTimes(training_s=0, attempt_s=0)) == ""
    assert bool(limit_words.beside_reference(kind, ReferenceTimes(training_s=0, attempt_s=2))) is said


def test_the_whole_attempt_is_told_by_its_own_limit(course, monkeypatch):
    monkeypatch.setitem(SHORT, "training_s", 30.0)
    monkeypatch.setitem(SHORT, "attempt_s", 2.0)
    monkeypatch.setattr("autograder.judge.session.limits_for", lambda limits, _: limits.model_copy(update=SHORT))
    assignment_with(course, "reference_s: {python: 0.25}\nreference_attempt_s: {python: 0.5}\n")
    # It needs no other check: where a machine takes 2 s to come to the training, that is told in the same words.
    write(course / "assignments/hw1_sums/tests/test_sums_public.py", PUBLIC.replace(', needs=["test_add"]', ""))
    check = check_of(attempt(course, ENDLESS), "test_slope")
    assert check.message == (
        "the time for the whole attempt (2 s) was used up (limits.attempt_s); the reference solution takes 0.5 s here"
    )


# --- calibrate ------------------------------------------------------------------------------------------------------


def test_the_reference_solution_is_measured_with_all_checks_and_seeds(course):
    measured = calibrating.calibrate(load_course(course).assignment("hw1"), AttemptOptions())
    [solution] = measured.solutions
    assert (measured.assignment, measured.data, measured.seeds, measured.benchmark_s) == ("hw1", "", (0, 1, 2), 0.010)
    assert (solution.framework, solution.device, solution.score) == ("python", "cpu", 40)
    assert len(solution.trainings_s) == 4  # three seeds, and a hidden one
    assert 0 < max(solution.trainings_s) < solution.attempt_s
    assert solution.metrics["error"].values == (0, 0, 0)


def test_more_seeds_show_how_far_luck_goes(course):
    measured = calibrating.calibrate(load_course(course).assignment("hw1"), AttemptOptions(seeds=tuple(range(5))))
    assert measured.seeds == (0, 1, 2, 3, 4)
    assert len(measured.solutions[0].metrics["error"].values) == 5


def test_what_was_measured_here_decides_before_what_is_stored(course):
    assignment = assignment_with(course, "reference_s: {python: 8}\nbenchmark_s: {python: 0.001}\n")
    assert calibrating.keep(calibration(), assignment)
    assert reference_times(assignment, None, data_ratio=2) == ReferenceTimes(
        training_s=14.24, attempt_s=61, needs=NEEDS
    )
    assert reference_times(assignment, "torch", data_ratio=1).training_s == 80


NEEDS = Needs(memory_mb=310, cpu_s=12.5)


def calibration(**changes):
    solution = {"framework": "python", "version": "3.12", "device": "cpu", "trainings_s": (3.0, 7.123),
                "attempt_s": 30.49, "needs": NEEDS, "score": 40, "metrics": {}}  # fmt: skip
    made = CalibratedSolution(**solution | changes.pop("solution", {}))
    return Calibration(
        assignment="hw1", data="", seeds=(0,), benchmark_s=0.0123, solutions=(made,),
        is_reference=changes.get("is_reference", True),
    )  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"times": 3}', b"\xff\xfe"])
def test_a_damaged_record_is_no_record(course, content):
    assignment = assignment_with(course, "reference_s: {python: 8}\n")
    calibrating.keep(calibration(), assignment)
    time_limits.calibration_file(course).write_bytes(content)
    assert reference_times(assignment, None, data_ratio=1).training_s == 8
    assert calibrating.keep(calibration(), assignment)
    assert reference_times(assignment, None, data_ratio=1).training_s == 7.12


def test_machines_that_share_a_course_keep_their_own_times(course, monkeypatch):
    assignment = assignment_with(course, "reference_s: {python: 8}\n")
    calibrating.keep(calibration(), assignment)
    monkeypatch.setattr(time_limits.platform, "node", lambda: "ano/ther")
    assert reference_times(assignment, None, data_ratio=1).training_s == 8
    calibrating.keep(calibration(solution={"trainings_s": (2.0,)}), assignment)
    assert reference_times(assignment, None, data_ratio=1).training_s == 2
    monkeypatch.undo()
    assert reference_times(assignment, None, data_ratio=1).training_s == 7.12


def test_a_course_that_can_not_be_written_is_measured_all_the_same(course, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr(calibrating.history, "write_whole", refuse)
    assert not calibrating.keep(calibration(), load_course(course).assignment("hw1"))


def test_records_of_other_assignments_and_frameworks_stay(course):
    assignment = load_course(course).assignment("hw1")
    calibrating.keep(calibration(), assignment)
    calibrating.keep(calibration(solution={"framework": "torch", "trainings_s": (1.0,)}), assignment)
    assert reference_times(assignment, None, data_ratio=1).training_s == 7.12
    assert reference_times(assignment, "torch", data_ratio=1).training_s == 1


@pytest.mark.parametrize("changes", [{"is_reference": False}, {"solution": {"device": "cuda"}}])
def test_times_on_a_gpu_of_other_seeds_or_on_more_data_are_no_reference(course, changes):
    assignment = load_course(course).assignment("hw1")
    assert not calibrating.keep(calibration(**changes), assignment)
    with pytest.raises(UsageError, match="no time to write"):
        calibrating.write_reference(calibration(**changes), assignment)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_times_are_written_and_everything_else_stays(course, line_end):
    before = ASSIGNMENT.replace("points: 40", "points: 40  # in all")
    there = "reference_s: {python: 99, torch: 2.5}  # measured\nbenchmark_s: {torch: 0.5}\n# the end\n"
    (course / FILE).write_bytes((before + there).replace("\n", line_end).encode())
    calibrating.write_reference(calibration(), load_course(course).assignment("hw1"))
    written = (course / FILE).read_bytes()
    assert written.decode() == (
        before + "reference_s: {python: 7.12, torch: 2.5}  # measured\nreference_attempt_s: {python: 30.5}\n"
        "reference_needs: {python: {memory_mb: 310, cpu_s: 12.5}}\n"
        "benchmark_s: {torch: 0.5, python: 0.0123}\n# the end\n"
    ).replace("\n", line_end)
    calibrating.write_reference(calibration(), load_course(course).assignment("hw1"))
    assert (course / FILE).read_bytes() == written


def test_a_file_that_has_the_times_in_another_form_stays_as_it_is(course):
    write(course / FILE, ASSIGNMENT + "reference_s:\n  python: 8\n")
    with pytest.raises(UsageError, match="Nothing was written") as caught:
        calibrating.write_reference(calibration(), load_course(course).assignment("hw1"))
    assert "reference_s: {python: 7.12}\n" in caught.value.hint
    assert (course / FILE).read_text(encoding="utf-8") == ASSIGNMENT + "reference_s:\n  python: 8\n"


def test_an_assignment_that_trains_nothing_has_an_attempts_time_and_needs(course):
    write(course / FILE, ASSIGNMENT.replace("trainings: [slope]", "trainings: []"))
    calibrating.write_reference(calibration(solution={"trainings_s": ()}), load_course(course).assignment("hw1"))
    assignment = load_course(course).assignment("hw1")
    assert (assignment.spec.reference_s, assignment.spec.reference_attempt_s) == ({}, {"python": 30.5})
    for framework in (None, "torch"):
        times = reference_times(assignment, framework, data_ratio=1)
        assert (times.training_s, times.attempt_s, times.needs.memory_mb) == (0, pytest.approx(30.5, rel=20), 310)
        assert limits_for(assignment.limits, times).training_s == assignment.limits.training_s


@pytest.mark.parametrize(
    ("embedded", "options", "is_reference"),
    [
        (None, AttemptOptions(), True),
        ("part", AttemptOptions(), True),
        ("part", AttemptOptions(data="full"), False),
        (None, AttemptOptions(seeds=(0,)), False),
    ],
)
def test_what_the_times_are_a_reference_for(course, monkeypatch, embedded, options, is_reference):
    monkeypatch.setattr(calibrating, "_possible", lambda *_: [])
    use = f"dataset: {{name: mnist{', embedded: part' if embedded else ''}}}\n"
    assert calibrating.calibrate(assignment_with(course, use), options).is_reference == is_reference


def test_without_a_framework_for_any_solution_it_says_what_to_install(course, monkeypatch):
    def lacks(submission, _):
        raise UsageError(f"{submission.name} imports torch")

    monkeypatch.setattr(calibrating, "require_frameworks", lacks)
    with pytest.raises(UsageError, match=r"sums\.py imports torch"):
        calibrating.calibrate(load_course(course).assignment("hw1"), AttemptOptions())


def test_a_solution_that_fails_is_not_measured(course):
    write(course / "solutions/hw1_sums/sums.py", SOLUTION.replace("a + b", "a - b"))
    with pytest.raises(InternalError, match=r"sums\.py does not pass .*test_add"):
        calibrating.calibrate(load_course(course).assignment("hw1"), AttemptOptions())


def test_students_have_no_solutions_to_measure(course):
    (course / "solutions/hw1_sums/sums.py").unlink()
    with pytest.raises(UsageError, match="The reference solutions are not here"):
        calibrating.calibrate(load_course(course).assignment("hw1"), AttemptOptions())


def test_the_command(course):
    result = grade("calibrate", "hw1", "--write", cwd=course)
    said = result.stdout.decode()
    assert (result.returncode, result.stderr) == (0, b"")
    for words in ("hw1 · seeds 0, 1, 2", "all checks", "error", "Kept for the time limits on this machine."):
        assert words in said
    assert f"Written to {course / FILE}" in said
    assert "reference_s: {python: " in (course / FILE).read_text(encoding="utf-8")
    as_json = json.loads(grade("calibrate", "hw1", "--seeds", "1", "--json", cwd=course).stdout)
    assert Calibration.model_validate(as_json).seeds == (0,)
