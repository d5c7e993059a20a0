"""The probe: what fails is named, in words; an attempt that hangs or dies is a no; nothing of it stays."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autograder.box import probe as module
from autograder.box.backends import BWRAP, NAMESPACES, PROCESS, RESTRICTED
from autograder.box.interpreter import ours
from autograder.box.linux import cgroup, landlock, numbers, seccomp
from autograder.box.probe import Attempt, Missing, Probe, probe, try_in_fork
from autograder.errors import UsageError
from autograder.judge import isolation
from autograder.judge.isolation import Wanted, choose_isolation
from autograder.judge.trial import Trial
from autograder.messages import set_language
from tests.box.conftest import BACKENDS, sealed_only
from tests.box.linux.conftest import in_fork

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux's")

SEALED = Probe((NAMESPACES, PROCESS), ())
NO_NAMESPACES = Missing("namespaces", "unshare: Operation not permitted")
OPEN = Probe((PROCESS,), (NO_NAMESPACES, Missing("no_bwrap", ""), Missing("restricted", "no landlock")))
CONTAINER = Probe((RESTRICTED, PROCESS), (NO_NAMESPACES, Missing("no_bwrap", "")))
UBUNTU = Probe((BWRAP, PROCESS), (NO_NAMESPACES,))


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """Each test probes anew."""
    known = (module.lacking, module.no_own_user)
    for function in known:
        function.cache_clear()
    yield
    for function in known:
        function.cache_clear()


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


def test_where_nothing_else_works_the_plain_backend_is_left_and_it_is_said_why(monkeypatch):
    monkeypatch.setattr(module, "try_in_fork", lambda _: Missing("root", "mount: Permission denied"))
    monkeypatch.setattr(module, "_bwrap", lambda: Missing("no_bwrap", ""))
    monkeypatch.setattr(module, "_restricted", lambda: Missing("restricted", "landlock: not in this kernel"))
    assert probe().backends == (PROCESS,)
    assert "mount: Permission denied" in probe().why_not(NAMESPACES)
    assert "apt-get install bubblewrap" in probe().why_not(BWRAP)
    assert "landlock: not in this kernel" in probe().why_not(RESTRICTED)
    assert probe().stricter_missing() == probe().missing


def test_the_strictest_that_works_is_best_and_the_others_are_tried_only_where_all_are_asked_for(monkeypatch):
    tried = []

    def attempt(name: str, missing: Missing | None) -> None:
        monkeypatch.setattr(module, name, lambda *_: (tried.append(name), missing)[1])

    attempt("try_in_fork", NO_NAMESPACES)
    attempt("_bwrap", None)
    attempt("_restricted", None)
    assert probe().backends == (BWRAP, PROCESS)
    assert probe().stricter_missing() == (NO_NAMESPACES,)
    assert "_restricted" not in tried
    assert probe(every=True).backends == (BWRAP, RESTRICTED, PROCESS)


def test_a_bwrap_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    assert module._bwrap() == Missing("no_bwrap", "")


@pytest.mark.skipif("bwrap" not in BACKENDS, reason="no bwrap here")
def test_a_bwrap_that_fails_is_told_in_its_own_words(monkeypatch):
    from autograder.box import bwrap

    known = bwrap.arguments
    monkeypatch.setattr(bwrap, "arguments", lambda *given: [*known(*given), "--made-up-option"])
    failed = module._bwrap()
    assert failed is not None
    assert failed.layer == "bwrap"
    assert "made-up-option" in failed.problem


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
@pytest.mark.parametrize(
    "layer", ["namespaces", "root", "seal", "landlock", "cgroup", "bwrap", "restricted", "own_user", "closed_python"]
)
def test_each_missing_layer_is_explained_with_what_the_system_said(language, layer):
    set_language(language)
    try:
        assert "made-up problem" in Missing(layer, "made-up problem").explained()
    finally:
        set_language("en")


def test_what_to_type_stands_on_a_line_of_its_own():
    missing = Missing("namespaces", "[Errno 1] unshare: Operation not permitted. See <https://example.org>.")
    first, *rest = missing.lines()
    assert first == "This system makes no user namespaces for you (unshare: Operation not permitted)."
    assert [line.split()[0] for line in rest if line.startswith("  ")] == ["--security-opt", "sudo"]
    assert missing.explained().startswith(f"{first} A container has to be started with: --security-opt seccomp")


@sealed_only
@pytest.mark.parametrize(("refused", "layer"), [("unshare", "namespaces"), ("pivot_root", "root"), ("capset", "seal")])
def test_a_system_that_refuses_a_call_is_found_out_by_trying(refused, layer):
    """For real: below a filter that refuses one call, as containers and hardened kernels do."""
    known = numbers.this_machine()[refused]
    machine = seccomp._same_architecture(os.uname().machine)
    refuse_one = [seccomp.Instruction(seccomp.IF_EQUAL, 0, 1, known), seccomp._answer(seccomp.ERRNO | errno.EPERM)]
    encoded = seccomp.encode((*machine, *refuse_one, seccomp._answer(seccomp.ALLOW)))
    said = in_fork(lambda: seccomp.apply(encoded), lambda: list(try_in_fork(module._seal_one).__dict__.values()))
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
        (CONTAINER, False, "auto", "auto", "", RESTRICTED),
        (CONTAINER, False, "restricted", "auto", "", RESTRICTED),
        (UBUNTU, False, "auto", "auto", "", BWRAP),
    ],
)
def test_the_isolation_is_the_strictest_unless_it_is_named(monkeypatch, case):
    found, gpu, wanted, device, environment, chosen = case
    monkeypatch.setattr(isolation, "probe", lambda **_: found)
    monkeypatch.setattr(isolation, "has_gpu", lambda: gpu)
    monkeypatch.setenv("GRADE_ISOLATION", environment or "auto")
    assert choose_isolation(Wanted(wanted, device), ours()).isolation == chosen


@pytest.fixture
def on(monkeypatch):
    """Chooses an isolation on a machine, for a class unless it is said otherwise."""

    def choose(
        found: Probe, wanted: str = "auto", *, gpu: bool = False, device: str = "auto", python=None, **named
    ) -> str:
        monkeypatch.setattr(isolation, "probe", lambda **_: found)
        monkeypatch.setattr(isolation, "has_gpu", lambda: gpu)
        monkeypatch.setenv("GRADE_ISOLATION", "auto")
        monkeypatch.setattr(isolation, "nvml", lambda: None)
        monkeypatch.setattr(isolation, "try_python", lambda _: Trial("made-up reason"))
        asked = Wanted(wanted, device, frameworks=("torch",), **({"for_class": True} | named))
        return choose_isolation(asked, python or ours()).isolation

    return choose


@pytest.mark.parametrize(("found", "chosen"), [(SEALED, NAMESPACES), (UBUNTU, BWRAP)])
def test_a_class_run_takes_what_is_sealed(on, found, chosen):
    assert on(found) == chosen


@pytest.mark.parametrize(("found", "name"), [(CONTAINER, RESTRICTED), (OPEN, PROCESS)])
def test_security_a_class_run_refuses_what_is_for_trusted_code_unless_it_is_named(on, found, name):
    with pytest.raises(UsageError) as caught:
        on(found)
    assert f"`{name}`" in caught.value.message
    assert "Operation not permitted" in caught.value.message
    assert f"--isolation {name}" in (caught.value.hint or "")
    assert on(found, name) == name
    assert on(found, for_class=False) == name


def test_security_a_class_run_is_not_unsealed_by_a_gpu_or_another_python_but_told_of_them(on):
    with pytest.raises(UsageError, match="--device cpu"):
        on(SEALED, gpu=True)
    assert on(SEALED, gpu=True, device="cpu") == NAMESPACES
    other = replace(ours(), is_ours=False)
    with pytest.raises(UsageError, match="made-up reason"):
        on(SEALED, python=other)
    with pytest.raises(UsageError, match="another Python"):
        on(UBUNTU, python=other)
    with pytest.raises(UsageError, match="--device cpu"):
        on(UBUNTU, gpu=True)
    with pytest.raises(UsageError, match="another Python"):
        on(UBUNTU, BWRAP, python=other)


def test_an_assignment_with_processes_does_without_a_restricted_box_and_says_so_where_it_is_named(on):
    assert on(CONTAINER, for_class=False, processes=2) == PROCESS
    assert on(SEALED, processes=2) == NAMESPACES
    assert on(UBUNTU, processes=2) == BWRAP
    with pytest.raises(UsageError, match="`process`"):
        on(CONTAINER, processes=2)
    with pytest.raises(UsageError, match="limits: processes: 2") as caught:
        on(CONTAINER, RESTRICTED, for_class=False, processes=2)
    assert "bwrap" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("namespaces", "Operation not permitted"), ("no-such-thing", "namespaces, bwrap, restricted, process")],
)
def test_an_isolation_that_can_not_be_had_is_refused_with_the_reason(monkeypatch, wanted, said):
    monkeypatch.setattr(isolation, "probe", lambda **_: OPEN)
    with pytest.raises(UsageError) as caught:
        choose_isolation(Wanted(wanted, "cpu"), ours())
    assert said in str(caught.value)
