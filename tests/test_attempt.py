"""One attempt from a submission to its report, in this process, with real boxes."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from autograder import __version__, datasets
from autograder.box import probe as probe_module
from autograder.box.client import StudentRaised
from autograder.box.probe import probe
from autograder.box.protocol import Raised
from autograder.course import load_course
from autograder.datasets.registry import NAMES
from autograder.errors import ConfigError, UsageError
from autograder.judge import attempt as module
from autograder.judge.attempt import run_attempt
from autograder.judge.isolation import Choice
from autograder.judge.listener import Listener
from autograder.judge.options import AttemptOptions
from autograder.judge.session import JudgeSession, Ready
from autograder.judge.verdict import verdict_of
from autograder.results import Status
from autograder.submission import Submission, read_file
from tests.tiny_course import (
    ASSIGNMENT,
    CHECK_SLOPE,
    CHECK_SLOPE_HIDDEN,
    COURSE,
    IMPORTS,
    PUBLIC,
    SOLUTION,
    attempt,
    check_of,
    make_course,
    write,
)

PUBLIC_FILE = "assignments/hw1_sums/tests/test_sums_public.py"
GONE_S = 60.0  # a ceiling for what takes milliseconds on a quiet machine


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


def test_what_is_stricter_is_not_looked_for_again_in_the_judge(course, monkeypatch):
    """A judge is forked for each attempt: what it finds out is forgotten with it."""
    for name in ("_namespaces", "_bwrap", "_restricted"):
        monkeypatch.setattr(probe_module, name, lambda *_: pytest.fail("a probe"))
    probe_module.lacking.cache_clear()
    submission = Submission("sums.py", {"sums.py": SOLUTION.encode()}, "sums.py")
    ready = Ready(Choice("process", missing="no user namespaces"))
    session = JudgeSession(load_course(course).assignment("hw1"), submission, AttemptOptions(), ready=ready)
    session.boxes.close()
    assert module.build_report(session, datetime.now(UTC), 1.0).isolation_missing == "no user namespaces"


def statuses(report):
    return [check.status.value for check in report.checks]


def changed(old, new, source=SOLUTION):
    assert old in source
    return source.replace(old, new)


# --- the report -----------------------------------------------------------------------------------------------------


def test_a_right_answer(course):
    report = attempt(course)
    assert (report.score, report.max_points, report.status, report.message) == (20.0, 20.0, Status.PASSED, "")
    assert [(check.id, check.task, check.hidden) for check in report.checks] == [
        ("test_sums_public::test_add", "1.1", False),
        ("test_sums_public::test_slope", "2", False),
    ]
    assert report.hidden_points_not_run == 20
    assert (report.assignment, report.submission, report.framework) == ("hw1", "sums.py", None)
    assert (report.isolation, report.device, report.seeds) == (probe().best, "cpu", (0,))
    assert report.submission_sha256 == read_file(course / "student" / "sums.py").sha256
    assert report.checks_sha256 == load_course(course).assignment("hw1").checks_sha256
    assert datetime.fromisoformat(report.started_at).tzinfo is not None
    environment = report.environment
    assert (environment.python, environment.numpy) == (platform.python_version(), np.__version__)
    assert (environment.torch, environment.tensorflow, environment.threads) == (None, None, 1)
    assert report.autograder_version == __version__


def test_metrics_of_all_seeds_are_in_the_report(course):
    report = attempt(course, changed("return sum(", "return seed + sum("), full=True)
    assert report.seeds == (0, 1, 2)
    metric = report.metrics["error"]
    assert metric == check_of(report, "test_slope").metrics["error"]
    assert (metric.values, metric.value, metric.score, metric.max_points) == ((0.0, 1.0, 2.0), 1.0, 7.5, 10.0)
    assert (report.score, report.status) == (17.5, Status.PARTIAL)


def test_hidden_checks_come_last(course):
    report = attempt(course, hidden=True)
    assert [check.hidden for check in report.checks] == [False, False, True, True]
    assert (report.score, report.max_points, report.hidden_points_not_run) == (40.0, 40.0, 0.0)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"tasks": ("1.1",)}, ["test_add"]),
        ({"tasks": ("1",), "hidden": True}, ["test_add", "test_add_negative"]),
        ({"checks": ("test_slope_negative",), "hidden": True}, ["test_slope_negative"]),
    ],
)
def test_only_what_was_asked_for_is_run(course, options, names):
    report = attempt(course, **options)
    assert [check.id.split("::")[1] for check in report.checks] == names
    assert report.max_points == 10 * len(names)


def test_a_task_alone_scores_as_in_the_full_run(course):
    wrong = SOLUTION.replace("return a + b", "return a - b")
    report = attempt(course, wrong, tasks=("2",))
    needed, asked = report.checks
    assert (needed.id, needed.status) == ("test_sums_public::test_add", Status.FAILED)
    assert (needed.score, needed.max_points, needed.came) == (0.0, 0.0, "-1")  # why it failed is told, without points
    full = attempt(course, wrong)
    assert (asked.status, asked.message) == (Status.SKIPPED, check_of(full, "test_slope").message)
    assert (report.score, report.max_points, report.status) == (0.0, 10.0, full.status)


def test_a_need_outside_the_task_that_is_met_is_not_shown(course):
    report = attempt(course, tasks=("2",))
    assert [check.id for check in report.checks] == ["test_sums_public::test_slope"]
    assert (report.score, report.max_points, report.status) == (10.0, 10.0, Status.PASSED)


@pytest.mark.parametrize(
    ("options", "left"),
    [({"tasks": ("2",)}, 10), ({"tasks": ("1", "2")}, 20), ({"tasks": ("2",), "hidden": True}, 0)],
)
def test_hidden_points_that_are_left_are_those_of_the_tasks(course, options, left):
    assert attempt(course, **options).hidden_points_not_run == left


def test_an_unknown_task(course):
    with pytest.raises(UsageError) as caught:
        attempt(course, tasks=("3",))
    assert (caught.value.message, caught.value.hint) == ("There is no task '3' in hw1.", "Its tasks are: 1.1, 2.")


def test_the_untouched_stub(course):
    stub = (course / "assignments" / "hw1_sums" / "sums.py").read_text(encoding="utf-8")
    report = attempt(course, stub, hidden=True)
    assert report.score == 0
    assert statuses(report) == ["failed", "skipped", "failed", "failed"]
    assert report.status is Status.FAILED
    assert check_of(report, "test_add").message == "not implemented yet: Task 1.1: add"


# --- whose fault ----------------------------------------------------------------------------------------------------

LIMITS = COURSE.replace("call_s: 30", "call_s: 30, output_mb: 1, memory_mb: 600")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("raise ValueError('bad')", "error", "ValueError: bad"),
        ("return None", "failed", ""),
        ("raise SystemExit(0)", "crashed", "your code ended the program"),
        ("import os; os._exit(0)", "crashed", "your code ended its own process (exit status 0)"),
        ("import os; os.abort()", "crashed", "your code crashed its process (SIGABRT)"),
        ("while True: pass", "timeout", "your code did not come back within 1.5 s"),
        ("print('x' * 3_000_000, flush=True); import time; time.sleep(60)", "output", "your code printed more than 1"),
        ("return bytearray(2_000_000_000)", "memory", ""),
        ("return add(a, b)", "error", "RecursionError"),
        ("return {1, 2}", "failed", ""),
        ("raise AssertionError('mine')", "error", "AssertionError: mine"),
        ("raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="limits and signals of POSIX")
def test_a_box_that_goes_wrong_in_one_check_leaves_the_others_alone(course, body, status, message):
    # What ends by another limit, or by itself, has all the time for it.
    write(course / "course.yml", LIMITS.replace("call_s: 30", "call_s: 1.5") if status == "timeout" else LIMITS)
    source = changed("return a + b", f"if a < 0: return a + b\n    {body}")
    write(course / PUBLIC_FILE, PUBLIC.replace(', needs=["test_add"]', ""))
    report = attempt(course, source, hidden=True)
    check = check_of(report, "test_add")
    assert (check.status.value, check.score) == (status, 0.0)
    assert message in check.message
    assert statuses(report)[1:] == ["passed", "passed", "passed"]
    assert (report.score, report.status.value) == (30.0, status)
    assert report.message == ""


def test_a_name_that_is_missing_offers_the_near_one(course):
    check = check_of(attempt(course, changed("def add(", "def Add(")), "test_add")
    assert (check.status, check.message) == (Status.FAILED, "sums.py defines no add")
    assert check.hint == "Found Add; the handout asks for add."


@pytest.mark.parametrize(
    ("source", "status", "message"),
    [
        ("def add(a, b:\n", Status.ERROR, "Python can't read sums.py:1"),
        ("x = 1 / 0\n", Status.ERROR, "ZeroDivisionError: division by zero"),
        ("import os; os._exit(5)\n", Status.CRASHED, "your code ended its own process (exit status 5)"),
    ],
)
def test_a_file_that_cannot_be_imported_fails_every_check_alike(course, source, status, message):
    report = attempt(course, source, hidden=True)
    assert report.message.startswith(message)
    assert {check.status for check in report.checks} <= {status, Status.SKIPPED}
    assert (report.status, report.score, report.max_points) == (status, 0.0, 40.0)


def test_an_import_that_failed_in_a_later_box_does_not_hide_what_the_first_one_earned():
    submission = Submission("a.py", {"a.py": b""}, "a.py")
    failure = StudentRaised(Raised(id=1, type_name="OSError", mro=["OSError"], text="gone", frames=[]))
    words = {"verdict": lambda error: verdict_of(error, submission, "")}
    first = SimpleNamespace(boxes=SimpleNamespace(load_failure=failure, loaded=None), **words)
    later = SimpleNamespace(boxes=SimpleNamespace(load_failure=failure, loaded="once"), **words)
    assert module._load_message(first) == "OSError: gone"
    assert module._load_message(later) == ""


def test_output_is_kept_by_check(course):
    source = changed("return a + b", "print('adding', a)\n    return a + b")
    report = attempt(course, f"print('importing')\n{source}", hidden=True)
    tails = [check.stdout_tail for check in report.checks]
    assert tails[:2] == ["importing\nadding 2\n", ""]
    assert tails[2].endswith("adding -20\n")


# --- the author's faults --------------------------------------------------------------------------------------------


def _public(course, body, before=""):
    """Put another check in place of test_add."""
    check = f'{before}\n@pytest.mark.points(10, task="1.1")\n{body}\n'
    write(course / PUBLIC_FILE, IMPORTS + check + CHECK_SLOPE)


@pytest.mark.parametrize(
    "wrong",
    [
        "len(submission.add(2, 3))",
        "1 / 0",
        "submission.add(object())",
        "raise NotImplementedError",
        "pytest.fail('no')",
    ],
)
def test_an_error_of_the_check_itself_is_internal_and_never_the_students(course, wrong):
    _public(course, f'def test_add(submission):\n    """adds"""\n    {wrong}')
    report = attempt(course)
    check = check_of(report, "test_add")
    assert (check.status, check.score) == (Status.INTERNAL, 0.0)
    assert check.message.startswith("not graded yet")
    assert "test_sums_public.py" in check.staff_note
    assert report.status is Status.INTERNAL


FIXTURE = "@pytest.fixture\ndef five(submission):\n    return {}\n"


@pytest.mark.parametrize(
    ("expression", "source", "status"),
    [
        ("submission.add(2, 3)", SOLUTION, Status.PASSED),
        ("submission.add(2, 3)", SOLUTION.replace("return a + b", "raise ValueError(a)"), Status.ERROR),
        ("submission.addd", SOLUTION, Status.FAILED),
        ("1 / 0", SOLUTION, Status.INTERNAL),
    ],
)
def test_an_error_in_a_fixture_is_judged_as_one_in_the_check(course, expression, source, status):
    _public(course, 'def test_add(five):\n    """adds"""\n    assert five == 5', FIXTURE.format(expression))
    assert check_of(attempt(course, source), "test_add").status is status


def test_a_plain_assert_is_told_in_one_line(course):
    _public(course, 'def test_add(submission):\n    """adds"""\n    assert submission.add(2, 3) == 6, "six"')
    check = check_of(attempt(course), "test_add")
    assert check.status is Status.FAILED
    assert check.message.startswith("six")
    assert "assert 5 == 6" in check.message


@pytest.mark.parametrize(
    ("content", "says"),
    [("def test_x(:\n", "SyntaxError"), ("import nowhere\n", "No module named 'nowhere'"), ("1 / 0\n", "ZeroDivision")],
)
def test_a_file_of_checks_that_cannot_be_imported(course, content, says):
    write(course / "assignments/hw1_sums/tests/test_broken.py", content)
    with pytest.raises(ConfigError) as caught:
        attempt(course)
    assert says in caught.value.message
    assert "test_broken.py" in caught.value.message


def test_an_assignment_without_checks(course):
    (course / PUBLIC_FILE).unlink()
    with pytest.raises(UsageError, match=r"No check of hw1 was run\."):
        attempt(course)


def test_without_a_folder_of_checks_nothing_else_is_run(course, tmp_path, monkeypatch):
    shutil.rmtree((course / PUBLIC_FILE).parent)
    mark = tmp_path / "ran"
    write(tmp_path / "elsewhere" / "test_mine.py", f"def test_mine():\n    open({str(mark)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        attempt(course)
    assert not mark.exists()


def test_rng_draws_the_same_every_time_and_differs_between_checks(course):
    body = '    """draws"""\n    assert False, rng.random()'
    _public(course, f"def test_add(rng):\n{body}")
    hidden = f'\n@pytest.mark.points(10, task="1.1")\ndef test_add_negative(rng):\n{body}\n'
    write(course / "assignments/hw1_sums/hidden/test_sums_hidden.py", IMPORTS + hidden + CHECK_SLOPE_HIDDEN)
    first, second = (attempt(course, hidden=True) for _ in range(2))
    assert first.checks[0].message == second.checks[0].message
    assert first.checks[0].message != first.checks[2].message


# --- datasets -------------------------------------------------------------------------------------------------------

DATASET_CHECK = """
@pytest.mark.points(10, task="2")
def test_slope(dataset, metric):
    "slope fits"
    metric("error", len(dataset.train.labels) / 4 + dataset.test.images.shape[1])
"""


def with_dataset(course, *, embedded=True):
    """Give the tiny course 6 images that ship with it, and 8 that don't; 1 pixel each."""
    folder = course / "assignments/hw1_sums/part"
    folder.mkdir()
    for name, dimensions in zip(NAMES, (3, 1, 3, 1), strict=True):
        content = bytes([0, 0, 8, dimensions, 0, 0, 0, 6]) + bytes([0, 0, 0, 1] * (dimensions - 1)) + bytes(6)
        (folder / name).write_bytes(content)
    use = "dataset: {name: mnist, embedded: part}" if embedded else "dataset: {name: mnist}"
    anchors = "zero: 2.5, on_full_data: {full: 2.5, zero: 4.5}"
    write(course / "assignments/hw1_sums/assignment.yml", changed("zero: 2.5", anchors, ASSIGNMENT) + use)
    write(course / PUBLIC_FILE, PUBLIC.replace(CHECK_SLOPE, DATASET_CHECK))


def test_checks_train_with_the_part_that_ships_with_the_assignment(course):
    with_dataset(course)
    report = attempt(course)
    metric = check_of(report, "test_slope").metrics["error"]
    assert (report.data, metric.value, metric.full, metric.zero) == ("embedded", 2.5, 0.5, 2.5)


@pytest.mark.parametrize("embedded", [True, False])
def test_the_full_dataset_has_thresholds_of_its_own(course, embedded, monkeypatch):
    with_dataset(course, embedded=embedded)
    part = datasets.load_folder(course / "assignments/hw1_sums/part")
    full = datasets.Split(datasets.Images(np.zeros((8, 1, 1), np.uint8), np.zeros(8, np.int64)), part.test)
    monkeypatch.setattr(datasets, "load", lambda dataset: {"mnist": full}[dataset.name], raising=False)
    report = attempt(course, data="full" if embedded else "embedded")
    metric = check_of(report, "test_slope").metrics["error"]
    assert (report.data, metric.value, metric.full, metric.zero) == ("full", 3, 2.5, 4.5)
    assert metric.score == 7.5


def test_a_full_dataset_that_is_not_here_stops_before_any_check(course, tmp_path, monkeypatch):
    with_dataset(course)
    monkeypatch.setenv("GRADE_DATA_DIR", str(tmp_path))
    with pytest.raises(UsageError, match="mnist is not on this machine"):
        attempt(course, data="full")


def test_data_full_is_for_assignments_with_a_dataset(course):
    with pytest.raises(UsageError, match="hw1 trains on no dataset"):
        attempt(course, data="full")
    assert attempt(course).data == ""


def test_the_fixture_without_a_dataset_is_the_authors_mistake(course):
    write(course / PUBLIC_FILE, PUBLIC.replace(CHECK_SLOPE, DATASET_CHECK))
    assert check_of(attempt(course), "test_slope").status is Status.INTERNAL


# --- nothing else decides a grade -----------------------------------------------------------------------------------

HOSTILE_CONFTEST = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        yield
    except BaseException:
        pass
"""
WRONG = SOLUTION.replace("a + b", "a - b")


def test_options_in_the_environment_change_nothing(course, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only --no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    assert attempt(course).score == 20
    assert os.environ["PYTEST_ADDOPTS"] == "--collect-only --no-such-option"
    assert os.environ["PYTEST_PLUGINS"] == "no_such_plugin"
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ


@pytest.mark.parametrize("name", ["pytest.ini", "pyproject.toml"])
def test_a_projects_own_configuration_changes_nothing(course, name):
    content = {
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = ["--collect-only"]\npython_functions = ["nothing_*"]\n',
    }.get(name, "[pytest]\naddopts = --collect-only\npython_functions = nothing_*\n")
    for folder in (course, course / "assignments", course / "assignments" / "hw1_sums"):
        write(folder / name, content)
    assert attempt(course).score == 20


@pytest.mark.parametrize("folder", [".", "assignments"])
def test_a_conftest_above_the_assignment_changes_nothing(course, folder):
    write(course / folder / "conftest.py", HOSTILE_CONFTEST)
    assert statuses(attempt(course, WRONG)) == ["failed", "skipped"]


def test_two_assignments_with_files_of_the_same_name_do_not_mix(course):
    other = course / "assignments" / "hw2_sums"
    shutil.copytree(course / "assignments" / "hw1_sums", other)
    write(other / "assignment.yml", ASSIGNMENT.replace("id: hw1", "id: hw2"))
    write(other / "tests" / "test_sums_public.py", PUBLIC.replace("== 5", "== -1"))
    loaded = load_course(course)
    file = read_file(write(course / "student" / "sums.py", SOLUTION))
    before = set(sys.modules)
    scores = [run_attempt(loaded.assignment(one), file, AttemptOptions()).score for one in ("hw1", "hw2", "hw1")]
    assert scores == [20, 0, 20]
    assert not [name for name in set(sys.modules) - before if "sums" in name]


def test_a_changed_check_is_read_anew(course):
    assert attempt(course).score == 20
    write(course / PUBLIC_FILE, PUBLIC.replace("== 5", "== 600"))  # compiled files are told apart by second and size
    assert attempt(course).score == 0


@pytest.mark.parametrize("name", ["it's 深度 学习", "dl [2026]"])
def test_a_course_in_a_folder_of_any_name(tmp_path, name):
    assert attempt(make_course(tmp_path / name), hidden=True).score == 40


# --- the end --------------------------------------------------------------------------------------------------------


def children():
    """All that run; what has ended is waited for by the zygote in its own time."""
    return {process for process in psutil.Process().children(recursive=True) if _runs(process)}


def _runs(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Impatient(Listener):
    def calling(self, name, seed):
        raise KeyboardInterrupt


def test_an_interrupt_ends_the_attempt_and_every_box(course):
    attempt(course, hidden=True)  # its zygote stays
    before = children()
    with pytest.raises(KeyboardInterrupt):
        attempt(course, hidden=True, listener=Impatient())
    assert not psutil.wait_procs(children() - before, timeout=GONE_S)[1]


def test_after_an_attempt_no_process_and_no_scratch_folder_is_left(course, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    attempt(course, hidden=True)  # its zygote stays
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = children()
    attempt(course, hidden=True)
    assert not psutil.wait_procs(children() - before, timeout=GONE_S)[1]
    assert list(scratch.glob("grade-box-*")) == []


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_framework_that_is_not_installed_comes_with_its_pip_line(course, monkeypatch, framework):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        attempt(course, f"import {framework}\n{SOLUTION}")
    assert caught.value.message == f"sums.py imports {framework}, which is not installed for this Python."
    assert f"{sys.executable} -m pip install {framework}" in caught.value.hint
    assert "grade doctor --find-python" in caught.value.hint


@pytest.mark.parametrize(
    ("framework", "problem", "said"),
    [
        ("torch", "", "There is no device 'cuda' that torch can use here."),
        ("tensorflow", "no libcuda", "There is no device 'cuda' that tensorflow can use here: no libcuda"),
        (None, "", "hw.py imports neither torch nor tensorflow: there is nothing that could compute on cuda."),
    ],
)
def test_a_device_that_is_missing_is_said_with_the_reason(framework, problem, said):
    environment = SimpleNamespace(device="cpu", device_problem=problem)
    session = SimpleNamespace(
        options=AttemptOptions(device="cuda"),
        boxes=SimpleNamespace(try_load=lambda: SimpleNamespace(environment=environment)),
        submission=SimpleNamespace(name="hw.py", framework=lambda: framework),
    )
    with pytest.raises(UsageError) as caught:
        module.require_device(session)
    assert caught.value.message == said
    assert "--device" in caught.value.hint


def test_a_device_that_is_not_there_and_the_one_that_always_is(course):
    with pytest.raises(UsageError) as caught:
        attempt(course, device="mps")
    assert caught.value.message.startswith("sums.py imports neither torch nor tensorflow")
    assert attempt(course, device="cpu").device == "cpu"
