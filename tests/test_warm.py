"""Warm judges: the same reports as cold ones, nothing carried from one attempt to the next, nothing left running."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autograder.box import cores, sealed, zygotes
from autograder.box.backends import NAMESPACES
from autograder.box.linux import cgroup
from autograder.course import load_course
from autograder.errors import ConfigError, InternalError, UsageError
from autograder.judge import judge_zygote, session, time_limits
from autograder.judge.attempt import run_attempt
from autograder.judge.isolation import Choice
from autograder.judge.judges import JudgeDied, open_judges
from autograder.judge.options import AttemptOptions
from autograder.judge.time_limits import Measured
from autograder.judge.warm import WarmJudges
from autograder.messages import set_language
from autograder.results import Status
from autograder.submission import Submission
from tests.box.conftest import BACKENDS
from tests.tiny_course import (
    ASSIGNMENT,
    CHECK_ADD,
    CHECK_SLOPE,
    IMPORTS,
    LOOP,
    PUBLIC,
    SOLUTION,
    WRONG,
    load,
    make_course,
    submission,
    without_times,
    write,
    wrong_answer,
)

ROOT = Path(__file__).resolve().parents[1]
LONG_S = 60.0
PUBLIC_FILE = "assignments/hw1_sums/tests/test_sums_public.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="judges are forked on Linux only")


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path / "course")


@pytest.fixture
def judges():
    with open_judges(2) as opened:
        yield opened


def warm(judges, course, source=SOLUTION, **options):
    return judges.start(load(course), submission(source), AttemptOptions(**options)).result()


def cold(course, source=SOLUTION, **options):
    return run_attempt(load(course), submission(source), AttemptOptions(**options))


# --- the same as cold -------------------------------------------------------------------------------------------------

SOURCES = {
    "right": SOLUTION,
    **{name: wrong_answer(name) for name in WRONG},
    "syntax": "def add(a, b:\n",
    "prints": SOLUTION.replace("return a + b", 'print("深度", a, b); return a + b'),
    "dies": SOLUTION.replace("return a + b", "import os; os._exit(3)"),
}


@pytest.mark.parametrize(
    "options",
    [pytest.param({}, id="public", marks=pytest.mark.ci), pytest.param({"hidden": True, "full": True}, id="hidden")],
)
def test_reports_are_those_of_a_cold_judge(course, judges, options):
    for name, source in SOURCES.items():
        report = warm(judges, course, source, **options)
        assert without_times(report) == without_times(cold(course, source, **options)), name


@pytest.mark.parametrize(
    "options",
    [{"tasks": ("2",)}, {"checks": ("test_add",)}, {"seeds": (7, 8)}, {"isolation": "process"}, {"device": "cpu"}],
    ids=lambda options: next(iter(options)),
)
def test_options_reach_the_judge(course, judges, options):
    report = warm(judges, course, wrong_answer("minus"), **options)
    assert without_times(report) == without_times(cold(course, wrong_answer("minus"), **options))


def test_reports_are_in_the_language_in_force(course, judges):
    set_language("zh")
    try:
        report = warm(judges, course, wrong_answer("minus"))
    finally:
        set_language("en")
    assert report.checks[0].title == "add 返回两数之和"
    assert report.checks[0].hint == "用 +。"
    assert warm(judges, course).checks[0].title == "add returns the sum of two numbers"


def test_limits_of_the_assignment_hold(course, judges):
    write(course / "assignments/hw1_sums/assignment.yml", f"{ASSIGNMENT}limits: {{call_s: 1}}\n")
    report = warm(judges, course, LOOP, checks=("test_add",))
    assert [check.status for check in report.checks] == [Status.TIMEOUT]


def test_several_attempts_at_a_time(course, judges):
    names = [*WRONG, *WRONG]
    running = {judges.start(load(course), submission(wrong_answer(name)), AttemptOptions()): name for name in names}
    scores = {name: cold(course, wrong_answer(name)).score for name in WRONG}
    while running:
        for pending in judges.wait(running):
            assert pending.result().score == scores[running.pop(pending)]


def test_waiting_has_an_end(course, judges):
    pending = judges.start(load(course), submission(LOOP), AttemptOptions())
    assert judges.wait([pending], 0.2) == []


def test_an_attempt_takes_its_own_time_only(course, judges):
    for _ in range(2):
        began = time.monotonic()
        report = warm(judges, course)
        assert sum(check.duration_s for check in report.checks) <= report.duration_s <= time.monotonic() - began


# --- nothing is carried over ------------------------------------------------------------------------------------------

STATE = f'''{IMPORTS}
import os, sys
SEEN = []

@pytest.fixture(scope="session")
def shared():
    return []

@pytest.mark.points(10, task="1.1")
def test_add(submission, shared, tmp_path, tmp_path_factory):
    """nothing is left of another attempt"""
    found = [[*SEEN], [*shared], os.environ.get("LEFT"), "left" in sys.path, os.path.basename(os.getcwd()),
             "colorsys" in sys.modules, os.listdir(tmp_path), sys.getrecursionlimit()]
    expect(False, expected=str(tmp_path), came=str(found))

'''
SPOILS = """
    SEEN.append(1); shared.append(1); os.environ["LEFT"] = "1"; sys.path.append("left")
    import colorsys; (tmp_path / "left").write_text("x"); sys.setrecursionlimit(5000); os.chdir("/")
    submission.add(1, 2)
"""


def test_attempts_leave_nothing_to_each_other(course, judges):
    spoiling = STATE.replace("    expect(False", f"{SPOILS}    expect(False")
    write(course / PUBLIC_FILE, spoiling + CHECK_SLOPE)
    write(course / "assignments/hw1_sums/assignment.yml", ASSIGNMENT)
    first, second = (warm(judges, course, checks=("test_add",)).checks[0] for _ in range(2))
    assert first.came == second.came
    assert first.came.startswith("[[], [], None, False, 'hw1_sums', False, []")


def test_temporary_folders_are_each_attempts_own_and_go_with_it(course, judges, until):
    write(course / PUBLIC_FILE, STATE + CHECK_SLOPE)
    first, second = (Path(warm(judges, course, checks=("test_add",)).checks[0].expected) for _ in range(2))
    assert first.parents[1] != second.parents[1]
    assert until(lambda: not first.exists() and not second.exists())
    judges.close()
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"{first.parts[-4]}*"))


def descriptors(process):
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


@pytest.mark.parametrize("spares", [0, 1])
def test_thousands_of_attempts_need_no_more_than_a_few(course, judges, until, monkeypatch, spares):
    if spares and "namespaces" not in BACKENDS:
        pytest.skip("no sealed boxes here")
    monkeypatch.setattr(judges, "_cores", 8 if spares else 1)

    def grade(count):
        for _ in range(count):
            warm(judges, course, checks=("test_add",))

    def held():
        gc.collect()
        # After its answer a judge still waits for the end of its boxes, and the zygote then for the judge's.
        assert until(lambda: len(waiting(judges)) == spares)
        (zygote,) = judges._zygotes.values()
        return descriptors("self"), descriptors(zygote._process.pid)

    grade(3)
    few = held()
    grade(12)
    # One that is just being opened or closed is not what would grow with the attempts.
    assert until(lambda: all(now <= then + 3 for now, then in zip(held(), few, strict=True)))


# --- what is wrong is told as itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PUBLIC.replace("points(10", "points(11", 1), ConfigError),
        (PUBLIC.replace('task="1.1"', 'task="7"'), ConfigError),
        ("import no_such_module\n", ConfigError),
        ("def test_add(:\n", ConfigError),
        ("x = 1\n", UsageError),
        (IMPORTS + CHECK_ADD, ConfigError),
    ],
)  # fmt: skip
def test_a_mistake_in_the_checks_is_the_same_error(course, judges, content, kind):
    write(course / PUBLIC_FILE, content)
    with pytest.raises(kind) as expected:
        cold(course)
    for _ in range(2):
        with pytest.raises(kind) as came:
            warm(judges, course)
        assert (came.value.message, came.value.hint) == (expected.value.message, expected.value.hint)
        for part in ("file", "line", "key"):
            assert getattr(came.value, part, None) == getattr(expected.value, part, None)


@pytest.mark.parametrize("options", [{"tasks": ("9",)}, {"checks": ("no_such",)}, {"data": "full"}, {"python": "/no"}])
def test_what_cannot_be_done_is_the_same_error(course, judges, options):
    with pytest.raises(UsageError) as expected:
        cold(course, **options)
    with pytest.raises(UsageError) as came:
        warm(judges, course, **options)
    assert (came.value.message, came.value.hint) == (expected.value.message, expected.value.hint)


def test_checks_that_start_threads_when_imported_are_refused(course, judges):
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    write(course / PUBLIC_FILE, thread + PUBLIC)
    for _ in range(2):
        with pytest.raises(InternalError, match="has started 2 threads"):
            warm(judges, course)


def test_checks_that_end_the_process_when_imported_cost_nobody_the_command(course, judges):
    write(course / PUBLIC_FILE, "import os\nos._exit(5)\n")
    for _ in range(2):
        with pytest.raises(JudgeDied):
            warm(judges, course)
    write(course / PUBLIC_FILE, PUBLIC)
    assert warm(judges, course).score == 20


# --- whatever is killed -----------------------------------------------------------------------------------------------


def tree(pid=None):
    """All that run below a process."""
    return [process for process in psutil.Process(pid).children(recursive=True) if runs(process)]


def runs(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def until():
    """Waits until something is so, and tells whether it came to be."""

    def wait(true, timeout_s=LONG_S):
        deadline = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    return wait


@pytest.fixture
def looping(course, judges, until):
    """An attempt whose box is in an endless loop, deaf to its channel: (pending, judge, the box's worker)."""
    warm(judges, course)
    assert all(one.gone(LONG_S) for one in judges._running)
    pending = judges.start(load(course), submission(LOOP), AttemptOptions())
    assert until(lambda: any(map(_busy, tree())))
    (box,) = filter(_busy, tree())
    (zygote,) = judges._zygotes.values()
    (judge,) = [process for process in psutil.Process(zygote._process.pid).children() if runs(process)]
    return pending, judge, box


def _busy(process):
    """Whether it is the worker of a box, new or one that has waited, and computes; its zygote does when it starts."""
    try:
        return process.cpu_times().user > 0.3 and all(
            "box.zygote" in " ".join(one.cmdline()) for one in (process, process.parent())
        )
    except (psutil.Error, AttributeError):  # it has ended, or its parent has
        return False


def test_security_a_killed_judge_leaves_no_box_and_costs_its_attempt_only(course, judges, looping, until):
    pending, judge, box = looping
    judge.kill()
    with pytest.raises(JudgeDied):
        pending.result()
    assert until(lambda: not runs(box))
    assert warm(judges, course).score == 20


def test_security_a_killed_zygote_leaves_no_judge_and_no_box(course, judges, looping, until):
    pending, judge, box = looping
    (zygote,) = judges._zygotes.values()
    zygote._process.kill()
    with pytest.raises(JudgeDied):
        pending.result()
    assert until(lambda: not runs(judge) and not runs(box))
    assert warm(judges, course).score == 20


def test_an_attempt_of_a_zygote_that_was_replaced_meanwhile_has_no_answer(course, judges, looping):
    pending, *_ = looping
    (zygote,) = judges._zygotes.values()
    zygote._process.kill()
    zygote._process.wait()
    assert warm(judges, course).score == 20
    with pytest.raises(JudgeDied):
        pending.result()


def test_security_an_interrupt_leaves_no_box(judges, looping, until):
    _, judge, box = looping
    judges.close()
    assert until(lambda: not runs(judge) and not runs(box))


def test_a_killed_box_zygote_is_replaced(course, judges, looping):
    pending, _, box = looping
    zygote, *inits = [one for one in reversed(box.parents()) if "box.zygote" in " ".join(one.cmdline())]
    for ancestor in (zygote, *inits):  # in this order: a box that ends while its zygote lives has ended by itself
        with contextlib.suppress(psutil.NoSuchProcess):
            ancestor.kill()
    report = pending.result()
    assert report.status is Status.INTERNAL
    assert warm(judges, course).score == 20


CALLER = """
    import sys
    from pathlib import Path
    from autograder.course import load_course
    from autograder.judge.judges import open_judges
    from autograder.judge.options import AttemptOptions
    from autograder.submission import Submission

    assignment = load_course(Path(sys.argv[1])).assignment("hw1")
    with open_judges(1) as judges:
        source = sys.argv[2].encode()
        judges.start(assignment, Submission("sums.py", {"sums.py": source}, "sums.py"), AttemptOptions())
        print("started", flush=True)
        sys.stdin.read()
"""


def test_security_a_killed_caller_leaves_nothing(course, until):
    command = [sys.executable, "-c", textwrap.dedent(CALLER), course, LOOP]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as caller:
        assert caller.stdout.readline() == b"started\n"
        assert until(lambda: any(map(_busy, tree(caller.pid))))
        left = tree(caller.pid)
        caller.kill()
    assert until(lambda: not any(map(runs, left)))


def test_what_a_judge_still_does_after_its_answer_is_waited_for_at_the_close(course):
    try:
        folders = [place.folder for place in cgroup.places()]
    except OSError as error:
        pytest.skip(f"no control groups here: {error}")
    with open_judges(1) as judges:
        pending = judges.start(load(course), submission(), AttemptOptions())
        pending.take()
        (line,) = [
            one for one in Path(f"/proc/self/fdinfo/{pending._pidfd}").read_text().splitlines() if "NSpid" in one
        ]
        assert pending.result().score == 20
    # Killed in the middle of it, it would have left its boxes' groups.
    assert not [group for folder in folders for group in folder.glob(f"grade-box-{line.split()[1]}-*")]


def test_a_run_of_many_attempts_keeps_nothing_of_those_that_have_ended(course, judges, until):
    pending = [judges.start(load(course), submission(), AttemptOptions()) for _ in range(3)]
    for one in pending:
        one.result()
    assert until(lambda: all(one.gone() for one in pending))
    judges.start(load(course), submission(), AttemptOptions()).result()
    assert len(judges._running) == 1


# --- boxes that wait for the next attempt -----------------------------------------------------------------------------


def waiting(judges):
    """Return the workers of boxes that no attempt uses: all that are there once the attempts have gone."""
    assert all(one.gone(LONG_S) for one in judges._running)
    return [process for process in tree() if _is_worker(process)]


def _is_worker(process):
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return False
    (numbers,) = [line.split()[1:] for line in lines if line.startswith("NSpid")]
    return numbers[-1] == "2" and runs(process)


@pytest.fixture
def sparing(monkeypatch):
    """Judges that a core is idle beside."""
    if "namespaces" not in BACKENDS:
        pytest.skip("no sealed boxes here")
    monkeypatch.setattr(cores, "usable", lambda: 2)
    with open_judges(1) as opened:
        yield opened


@pytest.mark.parametrize(
    ("at_once", "threads", "usable", "kept"),
    [(1, 1, 2, True), (2, 1, 2, False), (1, 2, 2, False), (3, 2, 8, True), (1, 1, 1, False), (None, 1, 8, False)],
)
def test_a_box_waits_where_a_core_is_idle(monkeypatch, at_once, threads, usable, kept):
    monkeypatch.setattr(cores, "usable", lambda: usable)
    key = zygotes.Key((), threads, cpu_only=True)
    judges = WarmJudges(at_once)
    assert judges._has_idle_core(key) is kept
    assert not judges._has_idle_core(key._replace(isolation="restricted"))
    assert not judges._has_idle_core(key._replace(nodes=(("/dev/nvidia0", "nvidia0"),)))  # it would hold memory


@pytest.mark.parametrize(
    ("hw", "framework"), [("hw1", None), ("hw2", "torch"), ("hw2", "tensorflow"), ("hw2", None), ("hw3", "torch")]
)
def test_what_waits_is_what_a_session_asks_for(monkeypatch, hw, framework):
    asked = []
    monkeypatch.setattr(session, "Boxes", lambda spec, *_: asked.append(spec))
    monkeypatch.setattr(time_limits, "measured_here", lambda _: Measured(machine=""))  # `grade calibrate` may have run
    assignment = load_course(ROOT).assignment(hw)
    source = f"import {framework}\n".encode() if framework else b"x = 1\n"
    ready = session.Ready(Choice(NAMESPACES), benchmark_s=1.0)
    handed_in = Submission("answer.py", {"answer.py": source}, "answer.py")
    session.JudgeSession(assignment, handed_in, AttemptOptions(device="cpu"), None, ready)
    (spec,) = asked
    kind = judge_zygote._kind_for(assignment, sealed.key_for(spec), "embedded", ready)
    assert kind == sealed.kind_of(spec)
    if framework:  # of which the reference solution's times are known, and this machine was said to be slow
        assert kind != sealed.kind_of(replace(spec, limits=assignment.limits))


def test_a_waiting_box_is_the_next_attempts_and_another_takes_its_place(course, sparing, until):
    seen = []
    for _ in range(3):
        assert without_times(warm(sparing, course)) == without_times(cold(course))
        assert until(lambda: len(waiting(sparing)) == 1)
        seen += waiting(sparing)
    assert len(set(seen)) == 3  # none was given twice
    assert not any(map(runs, seen[:2]))


def test_the_box_that_waited_is_the_one_that_is_used(course, sparing, until):
    tells_its_start = "raise ValueError(open('/proc/self/stat').read().rpartition(')')[2].split()[19])\n"
    warm(sparing, course)
    assert until(lambda: len(waiting(sparing)) == 1)
    (spare,) = waiting(sparing)
    started = Path(f"/proc/{spare.pid}/stat").read_text().rpartition(")")[2].split()[19]
    assert started in warm(sparing, course, tells_its_start).checks[0].message


def test_security_attempts_that_are_given_waiting_boxes_leave_nothing_to_each_other(course, sparing, until):
    leaves = SOLUTION + "\nimport builtins, os\nleft = [*vars(builtins).get('LEFT', []), *os.listdir('.')]\n"
    leaves += "builtins.LEFT = ['left']\nopen('left', 'w').close()\nassert left == ['sums.py'], left\n"
    for _ in range(3):
        assert warm(sparing, course, leaves).score == 20
        assert until(lambda: len(waiting(sparing)) == 1)


def test_a_waiting_box_that_was_killed_is_replaced(course, sparing, until):
    warm(sparing, course)
    assert until(lambda: len(waiting(sparing)) == 1)
    (killed,) = waiting(sparing)
    killed.kill()
    assert until(lambda: not runs(killed))
    assert warm(sparing, course).score == 20
    assert until(lambda: len(waiting(sparing)) == 1)


@pytest.mark.parametrize("killed", ["judge zygote", "box zygote"])
def test_security_no_waiting_box_outlives_its_zygotes(course, sparing, until, killed):
    warm(sparing, course)
    assert until(lambda: len(waiting(sparing)) == 1)
    (spare,) = waiting(sparing)
    if killed == "judge zygote":
        (zygote,) = sparing._zygotes.values()
        zygote._process.kill()
    else:
        spare.parents()[1].kill()
    assert until(lambda: not runs(spare))
    assert warm(sparing, course).score == 20


@pytest.mark.skipif(cores.usable() == 1, reason="no idle core")
def test_security_no_waiting_box_outlives_the_command(course, until):
    ends = textwrap.dedent(CALLER).replace("AttemptOptions())", "AttemptOptions()).result()")
    command = [sys.executable, "-c", ends, course, SOLUTION]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as caller:
        assert caller.stdout.readline() == b"started\n"
        assert until(lambda: sum(map(_is_worker, tree(caller.pid))) == 1)  # the attempt's own ends
        left = tree(caller.pid)
        caller.kill()
    assert until(lambda: not any(map(runs, left)))


def test_the_group_of_a_box_whose_judge_was_killed_is_removed(course, sparing, until):
    try:
        folders = [place.folder for place in cgroup.places()]
    except OSError as error:
        pytest.skip(f"no control groups here: {error}")

    def groups():
        (zygote,) = sparing._zygotes.values()
        return {group for folder in folders for group in folder.glob(f"grade-box-{zygote._process.pid}-*")}

    warm(sparing, course)
    assert until(lambda: len(waiting(sparing)) == 1)
    before = groups()
    assert len(before) == len(folders)
    pending = sparing.start(load(course), submission(LOOP), AttemptOptions())
    assert until(lambda: any(map(_busy, tree())))
    (zygote,) = sparing._zygotes.values()
    (judge,) = [process for process in psutil.Process(zygote._process.pid).children() if runs(process)]
    judge.kill()
    with pytest.raises(JudgeDied):
        pending.result()
    assert until(lambda: not before & groups())
