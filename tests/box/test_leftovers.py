"""Nothing outlives a box: not what it started, not when the judge itself is killed; and nothing stays open here."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from autograder.box import plain
from autograder.box.causes import Cause
from autograder.box.channel import offer_loopback
from autograder.results import Status

if TYPE_CHECKING:
    from tests.box.conftest import Opener

LONG_S = 60.0
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="child subreapers and death signals are Linux's")

# What starts programs, which sealed backends don't allow: their own tests are in test_sealed.py.
unsealed = pytest.mark.parametrize("backend", ["process"], indirect=True)

STARTS = """
    import os, subprocess, sys, time

    def _sleep(word):
        os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(600)", word])

    def child(word):
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)", word])

    def daemon(word):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                _sleep(word)
            os._exit(0)
        os.wait()

    def stubborn(word):
        import signal
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
        child(word)

    def then(word, how):
        read, write = os.pipe()
        globals()[how](word)
        os.close(write)
        os.read(read, 1)  # ends when the other copies are gone: what was started has been executed
        os._exit(3)

    def then_loop(word, how):
        globals()[how](word)
        while True: pass
"""


@pytest.fixture
def word(running_with):
    """A word for the command line of what a test starts; whoever still has it after the test is killed."""
    made = f"left-{uuid.uuid4().hex}"
    yield made
    for process in running_with(made):
        process.kill()


@unsealed
@pytest.mark.parametrize("how", ["child", "daemon", "stubborn"])
def test_security_what_the_student_started_ends_with_the_box(open_box: Opener, running_with, until, word, how):
    student = open_box(STARTS)
    student.call(how, word)
    assert until(lambda: running_with(word))
    student.client.close()
    assert until(lambda: not running_with(word))


@unsealed
@pytest.mark.parametrize("how", ["child", "daemon"])
def test_security_what_the_student_started_ends_with_a_limit(open_box: Opener, running_with, until, word, how):
    student = open_box(STARTS)
    student.loaded()
    assert student.death_in("then_loop", word, how, timeout_s=2.0).status is Status.TIMEOUT
    assert until(lambda: not running_with(word))


@unsealed
@pytest.mark.parametrize("how", ["child", "daemon"])
def test_security_what_the_student_started_ends_although_the_worker_left(
    open_box: Opener, running_with, until, word, how
):
    student = open_box(STARTS)
    assert student.death_in("then", word, how) == Cause(Status.CRASHED, "exit", "3")
    student.client.close()
    assert until(lambda: not running_with(word))


@unsealed
def test_security_what_a_worker_that_left_had_started_does_not_run_until_the_end_of_the_attempt(
    open_box: Opener, running_with, until, word
):
    student = open_box(STARTS)
    assert student.death_in("then", word, "child").status is Status.CRASHED
    assert until(lambda: not running_with(word))  # no box is closed before the test ends


# --- the judge is killed ----------------------------------------------------------------------------------------------

JUDGE = """
    import sys
    from autograder.box.client import BoxClient
    from autograder.box.spec import BoxSpec
    from autograder.box.protocol import Call, Path

    source = b"print('in the box')\\ndef loop():\\n    while True: pass\\ndef one(): return 1"
    client = BoxClient(BoxSpec({"answer.py": source}, "answer.py", ()))
    client.loaded()
    name = sys.argv[1]
    client.request(lambda number: Call(id=number, target=Path("one"), args=[], kwargs={}, seed=0), [])
    print("ready", flush=True)
    if name == "loop":
        client.request(lambda number: Call(id=number, target=Path("loop"), args=[], kwargs={}, seed=0), [])
    sys.stdin.read()
"""


@pytest.mark.parametrize("doing", ["loop", "nothing"])
def test_security_the_box_dies_with_a_judge_that_is_killed(until, tmp_path, doing):
    command = [sys.executable, "-c", textwrap.dedent(JUDGE), doing]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as judge:
        assert judge.stdout is not None
        assert judge.stdout.readline() == b"ready\n"
        box = psutil.Process(judge.pid).children(recursive=True)
        assert box
        if doing == "loop":
            used = sum(box[0].cpu_times()[:2])
            assert until(lambda: sum(box[0].cpu_times()[:2]) > used + 0.1)  # it is in the loop, deaf to the channel
        judge.kill()
    assert until(lambda: not any(_runs(process) for process in box), LONG_S)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- in the judge -----------------------------------------------------------------------------------------------------


def _box_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("box ")]


def _descriptors() -> int:
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_threads_of_a_closed_box_end(open_box: Opener):
    before = set(_box_threads())
    student = open_box("def one(): return 1")
    student.call("one")
    ours = set(_box_threads()) - before
    # Where the kernel ends a box by itself for its memory, no thread looks at that.
    assert {"box output"} <= {thread.name for thread in ours} <= {"box output", "box memory"}
    student.client.close()
    for thread in ours:
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_a_closed_box_leaves_no_descriptor_open(open_box: Opener):
    first = open_box("")  # may start a zygote, whose descriptors stay
    first.loaded()
    first.client.close()
    for thread in _box_threads():
        thread.join(LONG_S)
    before = _descriptors()
    student = open_box("def one(): return 1")
    student.call("one")
    ours = _box_threads()
    assert _descriptors() > before
    student.client.close()
    for thread in ours:
        thread.join(LONG_S)
    assert _descriptors() <= before


# --- the other transport ----------------------------------------------------------------------------------------------


@pytest.fixture
def over_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes are reached as on Windows."""
    monkeypatch.setattr(plain, "offer", offer_loopback)


@unsealed
def test_a_box_is_reached_by_loopback_as_well(over_loopback, open_box: Opener):
    student = open_box("import sys\ndef add(a, b): return [a + b, sys.argv, sys.orig_argv]")
    total, arguments, whole = student.call("add", 1, 2)
    assert total == 3
    assert arguments == ["-c"]
    assert any(argument.startswith("port:") for argument in whole)


@unsealed
def test_a_box_that_dies_at_the_other_end_of_loopback_says_so(over_loopback, open_box: Opener):
    student = open_box("import os\ndef leave(): os._exit(4)")
    assert student.death_in("leave") == Cause(Status.CRASHED, "exit", "4")
