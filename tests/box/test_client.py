"""The client by itself: an exit status becomes a cause, and no answer of a box makes the judge stumble."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil
import pytest

from autograder.box import client as client_module
from autograder.box.causes import BoxDied, Cause, cause_of_exit
from autograder.box.client import BoxClient
from autograder.box.protocol import Unsendable
from autograder.box.spec import BoxSpec
from autograder.results import Status

if TYPE_CHECKING:
    from tests.box.conftest import Opener


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (0, Cause(Status.CRASHED, "exit", "0")),
        (139, Cause(Status.CRASHED, "exit", "139")),  # as a shell says it: a number that anyone can exit with
        (-11, Cause(Status.CRASHED, "signal", "SIGSEGV")),
        (-9, Cause(Status.CRASHED, "signal", "SIGKILL")),
        (-24, Cause(Status.TIMEOUT, "cpu")),
        (-250, Cause(Status.CRASHED, "signal", "250")),
        (0xC0000005, Cause(Status.CRASHED, "signal", "0xc0000005")),
    ],
)
def test_an_exit_status_is_evidence(status, cause):
    assert cause_of_exit(status) == cause


def test_generations_are_never_used_again(open_box: Opener):
    one, two = open_box("x = 1").client, open_box("x = 1").client
    assert one.generation != two.generation


def test_a_box_that_lives_has_no_output_before_somebody_waited_for_it(open_box: Opener):
    student = open_box("print('loading')\ndef one(): return 1")
    assert student.client.take_output() == ""
    assert not student.client.is_loaded
    student.loaded()
    assert student.client.is_loaded
    assert student.client.take_output() == "loading\n"


@pytest.mark.parametrize("status", [3, 0])
def test_why_a_box_is_dead_is_told_without_a_request(open_box: Opener, until, status):
    student = open_box(f"import os, threading\ndef leave(): threading.Timer(0, os._exit, [{status}]).start()")
    student.loaded()
    with contextlib.suppress(BoxDied):  # the answer may come first
        student.call("leave")
    assert until(lambda: not student.client.alive)
    assert student.client.died().cause == Cause(Status.CRASHED, "exit", str(status))


def test_a_worker_that_lets_go_of_the_channel_and_stays_is_ended(open_box: Opener, monkeypatch):
    monkeypatch.setattr(client_module, "_EXIT_WAIT_S", 0.2)
    student = open_box("import os, time\ndef let_go():\n    os.closerange(3, 256)\n    time.sleep(600)")
    assert student.death_in("let_go") == Cause(Status.CRASHED, "protocol", "closed its channel")
    assert not student.client.alive


def test_however_many_handles_are_forgotten_the_next_request_is_sent(open_box: Opener):
    student = open_box("def one(): return 1")
    for number in range(500_000):  # what two answers full of forged handles leave behind
        student.client.forget((1 << 63) + number)
    assert student.call("one") == 1


def test_files_that_can_not_be_sent_leave_no_worker_behind(open_box: Opener):
    before = set(psutil.Process().children())
    with pytest.raises(Unsendable):
        BoxClient(BoxSpec({"answer.py": b"x = 1", "\udcff.txt": b"its name is no text"}, "answer.py", ()))
    left = set(psutil.Process().children()) - before
    for process in left:
        process.kill()
    assert not left
