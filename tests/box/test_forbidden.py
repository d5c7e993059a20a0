"""Refused calls are told of by init, or by the judge: evidence, bounded, and no way to hold anything up."""

from __future__ import annotations

import errno
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import psutil
import pytest

from autograder.box import backends, sealed
from autograder.box.client import BoxClient, StudentRaised
from autograder.box.linux import forks, numbers, seccomp
from autograder.box.linux.policy import TOLD, Allow, Profile, for_zygote
from autograder.box.protocol import Raised
from autograder.box.seal import Layer
from autograder.box.spec import BoxSpec
from autograder.judge.forbidden import _ERRNOS, of_refusal
from autograder.judge.limit_words import Allowed
from autograder.judge.verdict import verdict_of
from autograder.limits import Limits
from autograder.messages import text
from autograder.results import Status
from autograder.submission import Submission
from tests.box.conftest import BACKENDS, Driven, sealed_only

pytestmark = sealed_only

SOURCE = """
    import ctypes, errno, os, socket, subprocess, threading, time
    libc = ctypes.CDLL(None, use_errno=True)

    def fork(): os.fork()
    def run(): subprocess.run(["true"])
    def connect(): socket.create_connection(("127.0.0.1", 80), 1)
    def chained():
        try: socket.socket()
        except OSError as error: raise RuntimeError("no download") from error
    def swallowed():
        try: os.fork()
        except OSError: pass
        return os.system("true") != 0
    def swallowed_then_wrong():
        swallowed()
        return 1 / 0
    def missing_file(): open("nowhere")

    def refusal(number):
        ctypes.set_errno(0)
        return [libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6), ctypes.get_errno()]
    def flood(number, times, threads=1):
        seen = set()
        def go():
            for _ in range(times):
                ctypes.set_errno(0)
                libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6)
                seen.add(ctypes.get_errno())
        running = [threading.Thread(target=go) for _ in range(threads)]
        for thread in running: thread.start()
        for thread in running: thread.join()
        return sorted(seen)
    def flood_and_end(number):
        threading.Thread(target=flood, args=(number, 10**9, 2), daemon=True).start()
        time.sleep(0.2)
        os._exit(7)
    def children(count):
        for _ in range(count):
            if os.fork() == 0:
                try:
                    if os.fork() == 0: os.execv("/bin/true", ["true"])
                finally: os._exit(0)  # the grandchild becomes init's
            os.wait()
        own = ("1", str(os.getpid()))
        others = lambda: [name for name in os.listdir("/proc") if name.isdigit() and name not in own]
        end = time.monotonic() + 50
        while others() and time.monotonic() < end: time.sleep(0.01)
        return others()
"""


TELLING = [name for name in ("namespaces", "restricted") if name in BACKENDS]


@pytest.fixture(params=TELLING, scope="module")
def isolation(request: pytest.FixtureRequest) -> str:
    """Boxes whose refusals init tells of, and those where the judge answers by itself."""
    return str(request.param)


@pytest.fixture(scope="module")
def student(isolation: str) -> Iterator[Driven]:
    client = BoxClient(replace(spec(), isolation=isolation))
    yield Driven(client)
    client.close()
    client._output._thread.join(60)


@pytest.fixture
def opened(isolation: str) -> Iterator[Any]:
    made: list[BoxClient] = []

    def open_(source: str = SOURCE, **limits: float) -> Driven:
        made.append(BoxClient(replace(spec(source, **limits), isolation=isolation)))
        return Driven(made[-1])

    yield open_
    for client in made:
        client.close()
        client._output._thread.join(60)


def spec(source: str = SOURCE, **limits: float) -> BoxSpec:
    content = textwrap.dedent(source).encode()
    return BoxSpec(
        {"answer.py": content}, "answer.py", (), "cpu", Limits.model_validate(limits), isolation="namespaces"
    )


def refused_in(student: Driven, name: str) -> StudentRaised:
    with pytest.raises(StudentRaised) as caught:
        student.call(name)
    return caught.value


@pytest.mark.parametrize(
    ("name", "calls", "error"),
    [
        ("fork", ("clone",), errno.EPERM),
        ("run", ("vfork", "clone"), errno.EPERM),
        ("connect", ("socket",), errno.EAFNOSUPPORT),
        ("chained", ("socket",), errno.EAFNOSUPPORT),
    ],
)
def test_a_refused_call_is_told_of_and_fails_as_before(student, name, calls, error):
    student.client.take_advice()
    caught = refused_in(student, name)
    assert caught.refused == calls
    assert caught.raised.errnos[-1] == error


def test_every_call_that_is_told_of_is_refused_with_its_errno(student, isolation):
    student.client.take_advice()
    sealed_errors, restricted_errors = (seccomp.told_errors(Profile(only_signals_to=to)) for to in (None, 1))
    for number, error in (sealed_errors if isolation == "namespaces" else restricted_errors).items():
        if number not in {numbers.this_machine()["socket"], numbers.this_machine()["clone"]}:
            assert student.call("refusal", number) == [-1, error], number
    told = student.client._running.evidence().refused
    # A restricted box is under its zygote's filter, too, which refuses more by itself.
    left = {name for name, rule in for_zygote().items() if isolation == "namespaces" or rule == Allow()}
    assert set(told) == TOLD & left & set(numbers.this_machine()) - {"socket", "clone"}
    assert {"setuid", "setgid", "setreuid", "setresuid", "setgroups", "capset"} <= set(told)
    assert {"execve", "fork", "vfork"} <= set(told) or "vfork" not in numbers.this_machine()


def test_the_errnos_of_refusals_are_those_that_a_verdict_goes_by():
    profiles = Profile(), Profile(processes=True), Profile(only_signals_to=1)
    assert {error for profile in profiles for error in seccomp.told_errors(profile).values()} <= _ERRNOS


def test_an_exception_that_comes_of_nothing_refused_is_no_evidence(student):
    student.client.take_advice()
    assert refused_in(student, "missing_file").refused == ()


def test_what_was_refused_in_one_check_does_not_count_in_the_next(student):
    student.client.take_advice()
    assert student.call("swallowed") is True
    student.client.take_advice()  # the check ends
    assert refused_in(student, "missing_file").refused == ()
    assert refused_in(student, "fork").refused == ("clone",)


def test_what_packages_try_while_they_are_imported_does_not_count(opened):
    student = opened(SOURCE + "\n    swallowed()\n")
    assert refused_in(student, "missing_file").refused == ()


def test_a_refusal_that_ends_the_import_counts(opened):
    with pytest.raises(StudentRaised) as caught:
        opened("import os\nos.fork()").loaded()
    assert caught.value.refused == ("clone",)


def test_security_the_errno_alone_is_a_claim(opened):
    """An exception with the right number and no refused call; a forged one of a call that was refused in passing."""
    student = opened("def lie(): raise PermissionError(1, 'Operation not permitted')")
    assert refused_in(student, "lie").refused == ()


# --- nothing is held up -----------------------------------------------------------------------------------------------


def test_security_a_flood_of_refused_calls_ends_and_grows_nothing(opened):
    student = opened(call_s=60)
    execve = numbers.this_machine()["execve"]
    members = {member.pid: member for member in student.client._running.process.members()} if student.loaded() else {}
    before = sum(member.memory_info().rss for member in members.values())
    seen = student.call("flood", execve, 30_000, 2)
    assert seen == [errno.EPERM, errno.ENOSYS]  # answered at first, by the kernel itself after so many
    assert student.client._running.evidence().refused == ("execve",)
    assert student.call("refusal", execve) == [-1, errno.ENOSYS]
    assert sum(member.memory_info().rss for member in members.values()) - before < 64 << 20


def test_security_a_flood_does_not_hide_how_the_worker_ended(opened):
    cause = opened().death_in("flood_and_end", numbers.this_machine()["execve"])
    assert cause[:3] == (Status.CRASHED, "exit", "7")


def test_security_a_box_that_is_killed_in_the_middle_of_refused_calls_is_gone(opened):
    student = opened()
    student.loaded()
    members = student.client._running.process.members()
    assert student.death_in("flood", numbers.this_machine()["execve"], 10**9, timeout_s=0.3).status is Status.TIMEOUT
    student.client.close()
    _gone, left = psutil.wait_procs(members, 60)
    assert left == []


@pytest.mark.parametrize("isolation", ["namespaces"], indirect=True)  # there are processes, and an init
def test_orphans_are_reaped_while_calls_are_refused(opened):
    assert opened(processes=16, call_s=60).call("children", 5) == []


# --- processes are counted --------------------------------------------------------------------------------------------

FORKS = """
    import os, threading, time

    def fork(count):
        made, errors = [], set()
        for _ in range(count):
            try: pid = os.fork()
            except OSError as error:
                errors.add(error.errno)
                continue
            if pid == 0: time.sleep(600)
            made.append(pid)
        return [len(made), sorted(errors)]
    def fork_at_once(threads):
        together = threading.Barrier(threads)
        def go():
            together.wait()
            fork(2)
        running = [threading.Thread(target=go) for _ in range(threads)]
        for thread in running: thread.start()
        for thread in running: thread.join()
        return there()
    def family(out):
        for _ in range(6):  # each has one, and so on
            try:
                if os.fork(): break
            except OSError:
                os.write(out, b"refused")
                break
        else: os.write(out, b"all of them")
        time.sleep(600)
    def grandchildren():
        read, out = os.pipe()
        if os.fork() == 0: family(out)
        return [os.read(read, 100).decode(), there()]
    def there(): return sum(name.isdigit() and name not in {"1", str(os.getpid())} for name in os.listdir("/proc"))
    def end():
        for name in os.listdir("/proc"):
            if name.isdigit() and name not in {"1", str(os.getpid())}: os.kill(int(name), 9)
        while True:
            try: os.wait()
            except ChildProcessError: return
    def in_turn(count):
        for _ in range(count):
            if os.fork() == 0: os._exit(0)
            os.wait()
        return count
"""
counted_only = pytest.mark.skipif(not forks.can_be_counted(), reason="an older kernel, or Yama: only the kernel counts")


@contextmanager
def closing_box(isolation: str, source: str = FORKS, **limits: float) -> Iterator[Driven]:
    client = BoxClient(replace(spec(source, **limits), isolation=isolation))
    yield Driven(client)
    client.close()
    client._output._thread.join(60)


@counted_only
@pytest.mark.parametrize("isolation", sorted({"namespaces", "bwrap"} & {*BACKENDS}))
def test_security_no_more_processes_than_the_assignment_allows(isolation):
    with closing_box(isolation, processes=3) as student:
        assert student.call("fork", 20) == [3, [errno.EAGAIN]]
        student.call("end")
        assert student.call("fork_at_once", 20) == 3
        student.call("end")
        assert student.call("in_turn", 30) == 30  # those that are gone do not count
        assert student.call("grandchildren") == ["refused", 3]
        assert student.client._running.evidence().refused == ("clone",)


@counted_only
def test_without_the_filter_there_are_as_many_as_the_kernels_own_limit_allows(monkeypatch):
    monkeypatch.setattr(backends, "start", partial(sealed.start, without=(Layer.SECCOMP,)))
    with closing_box("namespaces", processes=3) as student:
        assert student.call("fork", 20) == [20, []]


@counted_only
@pytest.mark.parametrize("isolation", ["namespaces"], indirect=True)
def test_a_process_too_many_is_told_with_the_limit(opened):
    student = opened("import os, time\ndef more():\n    for _ in range(4):\n        if os.fork() == 0: time.sleep(600)",
                     processes=2)  # fmt: skip
    submission = Submission("answer.py", {"answer.py": b""}, "answer.py")
    verdict = verdict_of(refused_in(student, "more"), submission, "", allowed=Allowed(Limits(processes=2)))
    assert verdict.status is Status.FORBIDDEN
    assert verdict.message == text("check.too_many_processes", call="fork", most=2)


def test_that_something_is_not_ready_is_no_refusal():
    raised = Raised(id=1, type_name="BlockingIOError", mro=[], text="", frames=[], errnos=[errno.EAGAIN])
    assert of_refusal(("socket",), raised, 4) is None
    assert of_refusal(("clone",), raised) is None
    assert of_refusal(("clone",), raised, 4) is not None
