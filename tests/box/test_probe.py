"""The probe: what fails is named, in words; an attempt that hangs or dies is a no; nothing of it stays."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autograder.box import probe as module
from autograder.box.backends import NAMESPACES, PROCESS
from autograder.box.interpreter import ours
from autograder.box.linux import cgroup, landlock, numbers, seccomp
from autograder.box.probe import Attempt, Missing, Probe, probe, try_in_fork
from autograder.errors import UsageError
from autograder.judge import isolation
from autograder.judge.isolation import Wanted, choose_isolation
from autograder.messages import set_language
from tests.box.conftest import sealed_only
from tests.box.linux.conftest import in_fork

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux's")

SEALED = Probe((NAMESPACES, PROCESS), ())
OPEN = Probe((PROCESS,), (Missing("namespaces", "unshare: Operation not permitted"),))


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """Each test probes anew."""
    probe.cache_clear()
    yield
    probe.cache_clear()


def refuse(*_: object) -> None:
    raise OSError(errno.EPERM, "unshare: Operation not permitted")


# --- attempts ---------------------------------------------------------------------------------------------------------


def test_an_attempt_that_is_done_misses_nothing():
    assert try_in_fork(lambda attempt: attempt.done()) is None


def test_the_layer_that_was_tried_last_is_the_one_that_is_missing():
    def run(attempt: Attempt) -> None:
        attempt.at("namespaces")
        attempt.at("root")
        refuse()

    assert try_in_fork(run) == Missing("root", "[Errno 1] unshare: Operation not permitted")


def test_an_error_in_a_process_forked_by_an_attempt_is_told_once():
    def run(attempt: Attempt) -> None:
        attempt.at("root")
        attempt.fork(lambda: (attempt.at("seal"), attempt.fork(refuse)))

    assert try_in_fork(run) == Missing("seal", "[Errno 1] unshare: Operation not permitted")


def test_an_attempt_that_hangs_is_a_no():
    began = time.monotonic()
    assert try_in_fork(lambda _: time.sleep(600), timeout_s=0.2) == Missing("namespaces", "no answer")
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("end", [lambda _: os._exit(0), lambda _: os.kill(os.getpid(), signal.SIGKILL)])
def test_an_attempt_that_ends_without_a_word_is_a_no(end):
    assert try_in_fork(end) == Missing("namespaces", "killed")


def test_nothing_of_an_attempt_stays(until):
    before, children = len(list(Path("/proc/self/fd").iterdir())), set(psutil.Process().children())
    for _ in range(3):
        try_in_fork(lambda attempt: (attempt.done(), time.sleep(600)))
    assert until(lambda: set(psutil.Process().children()) <= children)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- what comes of it -------------------------------------------------------------------------------------------------


def test_where_everything_works_the_strictest_is_best(monkeypatch):
    monkeypatch.setattr(module, "try_in_fork", lambda _: None)
    assert probe().best == NAMESPACES
    assert probe().why_not(NAMESPACES) == ""


def test_where_something_is_missing_only_the_plain_backend_is_left_and_it_is_said_why(monkeypatch):
    monkeypatch.setattr(module, "try_in_fork", lambda _: Missing("root", "mount: Permission denied"))
    assert probe().backends == (PROCESS,)
    assert "mount: Permission denied" in probe().why_not(NAMESPACES)


def test_layers_that_are_not_needed_are_told_and_change_nothing(monkeypatch):
    monkeypatch.setattr(module, "try_in_fork", lambda _: None)
    monkeypatch.setattr(landlock, "abi", lambda: 0)

    def none() -> None:
        raise OSError("no memory controller")

    monkeypatch.setattr(cgroup, "places", none)
    assert probe().best == NAMESPACES
    assert [missing.layer for missing in probe().missing] == ["landlock", "cgroup"]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_there_is_the_plain_backend(monkeypatch, platform):
    monkeypatch.setattr(module.sys, "platform", platform)
    assert probe().backends == (PROCESS,)
    assert platform in probe().why_not(NAMESPACES)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("layer", ["namespaces", "root", "seal", "landlock", "cgroup"])
def test_each_missing_layer_is_explained_with_what_the_system_said(language, layer):
    set_language(language)
    try:
        assert "made-up problem" in Missing(layer, "made-up problem").explained()
    finally:
        set_language("en")


@sealed_only
@pytest.mark.parametrize(("refused", "layer"), [("unshare", "namespaces"), ("pivot_root", "root"), ("capset", "seal")])
def test_a_system_that_refuses_a_call_is_found_out_by_trying(refused, layer):
    """For real: below a filter that refuses one call, as containers and hardened kernels do."""
    known = numbers.this_machine()[refused]
    machine = seccomp._same_architecture(os.uname().machine)
    refuse_one = [seccomp.Instruction(seccomp.IF_EQUAL, 0, 1, known), seccomp._answer(seccomp.ERRNO | errno.EPERM)]
    encoded = seccomp.encode((*machine, *refuse_one, seccomp._answer(seccomp.ALLOW)))
    said = in_fork(lambda: seccomp.apply(encoded), lambda: list(try_in_fork(module._namespaces).__dict__.values()))
    assert said.value == [layer, f"[Errno 1] {refused}: Operation not permitted"]


# --- the choice -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        (SEALED, False, "auto", "auto", "", NAMESPACES),
        (SEALED, False, "process", "auto", "", PROCESS),
        (SEALED, False, "namespaces", "auto", "process", NAMESPACES),
        (SEALED, False, "auto", "auto", "process", PROCESS),
        (SEALED, True, "auto", "auto", "", NAMESPACES),  # without a framework no GPU is missed
        (SEALED, True, "auto", "cpu", "", NAMESPACES),
        (SEALED, True, "namespaces", "auto", "", NAMESPACES),
        (OPEN, False, "auto", "auto", "", PROCESS),
        (OPEN, False, "process", "auto", "", PROCESS),
    ],
)
def test_the_isolation_is_the_strictest_unless_it_is_named(monkeypatch, case):
    found, gpu, wanted, device, environment, chosen = case
    monkeypatch.setattr(isolation, "probe", lambda: found)
    monkeypatch.setattr(isolation, "has_gpu", lambda: gpu)
    monkeypatch.setenv("GRADE_ISOLATION", environment or "auto")
    assert choose_isolation(Wanted(wanted, device), ours()).isolation == chosen


@pytest.mark.parametrize(
    ("wanted", "said"), [("namespaces", "Operation not permitted"), ("no-such-thing", "namespaces, process")]
)
def test_an_isolation_that_can_not_be_had_is_refused_with_the_reason(monkeypatch, wanted, said):
    monkeypatch.setattr(isolation, "probe", lambda: OPEN)
    with pytest.raises(UsageError) as caught:
        choose_isolation(Wanted(wanted, "cpu"), ours())
    assert said in str(caught.value)
