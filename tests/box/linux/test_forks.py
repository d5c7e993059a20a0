"""Forks are counted with care for those that are under way; and only where the kernel lets init do so."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from autograder.box.linux import forks, refusals
from autograder.box.linux.forks import ForkCount, Forks, can_be_counted
from autograder.box.linux.refusals import Refusal

CLONE, FORK = 56, 57
NEW_USER = 0x10000000


def test_there_is_room_until_there_are_as_many_as_allowed():
    there = [0]
    count = ForkCount(2, lambda: there[0])
    for running, room in ((0, True), (1, True), (2, False), (3, False), (1, True)):
        there[0] = running
        assert count.allows(7) is room


def test_security_forks_that_can_not_be_seen_yet_count(monkeypatch):
    """Many threads that ask at once, before any of their children is there."""
    clock = [0.0]
    monkeypatch.setattr(forks.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(forks.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    there = [0]
    count = ForkCount(2, lambda: there[0])
    for caller in (1, 2):
        assert count.allows(caller)
        count.began(caller)
    assert clock[0] == 0
    there[0] = 2  # by the time that it is known
    assert not count.allows(3)
    there[0] = 0
    assert count.allows(3)  # it waits until those two must be over
    assert clock[0] >= forks._UNDERWAY_S


def test_a_thread_that_asks_again_has_done_its_last_fork():
    count = ForkCount(1, lambda: 0)
    for _ in range(3):
        assert count.allows(1)
        count.began(1)


def test_only_what_does_nothing_but_start_a_process_is_a_fork():
    known = Forks(frozenset([FORK]), CLONE)
    assert known.includes(Refusal(1, FORK, 1, NEW_USER))  # it takes no arguments: what lies there says nothing
    assert known.includes(Refusal(1, CLONE, 1, 17))
    assert not known.includes(Refusal(1, CLONE, 1, NEW_USER | 17))
    assert not known.includes(Refusal(1, 101, 1, 0))


@pytest.mark.parametrize(
    ("release", "scope", "can"),
    [
        ("5.4.0-90-generic", "0", False),
        ("5.5", "0", False),  # init can't take the listener there
        ("5.6", "0", True),
        ("6.18.5", "1", True),
        ("6.1", "2", False),
        ("6.1", "3", False),
    ],
)
def test_whether_forks_can_be_counted(tmp_path: Path, release: str, scope: str, can: bool):
    yama = tmp_path / "ptrace_scope"
    yama.write_text(f"{scope}\n")
    assert can_be_counted(release, yama) is can


def test_a_kernel_without_yama_asks_nobody(tmp_path: Path):
    assert can_be_counted("6.1", tmp_path / "missing")


@pytest.mark.parametrize(("error", "waited"), [(None, True), (errno.ENOENT, False)])
def test_whether_the_caller_still_waited_is_told(monkeypatch, error, waited):
    def ioctl(*_: object) -> int:
        if error:
            raise OSError(error, "gone")
        return 0

    monkeypatch.setattr(refusals.fcntl, "ioctl", ioctl)
    assert refusals.let_through(3, Refusal(1, CLONE, 1, 17)) is waited
