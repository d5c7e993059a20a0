"""The plain backend by itself: a clean environment, whole trees killed and nothing else, memory added up."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from autograder.box import leftovers, plain
from autograder.box.interpreter import ours

LONG_S = 30.0
SLEEP = "import time; time.sleep(600)"
OURS = {
    "PATH": "/usr/bin",
    "LD_LIBRARY_PATH": "/opt/lib",
    "CUDA_VISIBLE_DEVICES": "7",
    "GITHUB_TOKEN": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "PYTHONPATH": "/course/hidden",
    "PYTHONSTARTUP": "/course/start.py",
    "PYTEST_CURRENT_TEST": "test_hidden",
    "SSH_AUTH_SOCK": "/tmp/agent",
    "LD_PRELOAD": "/tmp/evil.so",
    "HOME": "/home/teacher",
    "TMPDIR": "/tmp/teacher",
    "OMP_NUM_THREADS": "64",
}


# --- environment ----------------------------------------------------------------------------------------------------


def made(**options: Any) -> dict[str, str]:
    return plain.environment(Path("/box"), OURS, ours(), **{"threads": 3, "cpu_only": False, **options})


def test_security_of_our_environment_only_what_libraries_need_is_passed_on():
    passed = {name for name, value in made().items() if value in OURS.values()}
    assert passed == {"PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"}


def test_no_name_looks_like_a_secret():
    assert not [name for name in plain._PASSED_ON if any(word in name for word in ("TOKEN", "KEY", "SECRET", "AUTH"))]


def test_home_and_temporary_files_are_in_the_scratch_folder():
    names = ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR", "KERAS_HOME")
    assert all(made()[name].startswith(str(Path("/box"))) for name in names)


def test_libraries_are_told_how_many_threads_to_use():
    assert {value for name, value in made().items() if name.endswith(("_NUM_THREADS", "OP_THREADS"))} == {"3"}


def test_gpus_are_hidden_where_the_cpu_is_asked_for():
    assert made(cpu_only=True)["CUDA_VISIBLE_DEVICES"] == ""


# --- process trees --------------------------------------------------------------------------------------------------


@pytest.fixture
def start() -> Iterator[Any]:
    """Starts a Python in a session of its own, and returns once it has said what it says."""
    started: list[subprocess.Popen[bytes]] = []

    def start(source: str) -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
        command = [sys.executable, "-S", "-c", textwrap.dedent(source)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        said = process.stdout.readline().split()
        return process, [psutil.Process(int(pid)) for pid in said]

    yield start
    for process in started:
        plain.kill_tree(process)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


FAMILY = f"""
    import ctypes, os, subprocess, sys, time
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # adopt orphans, as the worker does
    read, write = os.pipe()
    child = subprocess.Popen([sys.executable, "-S", "-c", "{SLEEP}"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, b"%d" % os.getpid())
            time.sleep(600)
        os._exit(0)
    os.wait()
    print(child.pid, os.read(read, 20).decode(), os.getpid(), flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="adopting orphans is Linux's")
@pytest.mark.parametrize("tree_of", [plain.process_tree, plain.family_of])
def test_a_tree_is_a_process_its_children_and_the_daemons_it_adopted(start, tree_of):
    process, family = start(FAMILY)
    assert set(tree_of(process.pid)) == set(family)
    assert len(family) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="the list is Linux's")
def test_security_where_the_kernel_keeps_no_list_of_children_all_processes_are_looked_at(start, monkeypatch):
    process, family = start(FAMILY)
    monkeypatch.setattr(os.path, "exists", lambda path: path != "/proc/thread-self/children")
    monkeypatch.setattr(plain.Path, "read_text", lambda self: pytest.fail(f"{self} is read"))
    assert set(plain.family_of(process.pid)) == set(family)


@pytest.mark.skipif(sys.platform != "linux", reason="adopting orphans is Linux's")
def test_security_killing_a_tree_leaves_no_child_and_no_daemon(start, until):
    process, family = start(FAMILY)
    plain.kill_tree(process)
    assert process.wait(LONG_S) == -9
    assert until(lambda: not any(map(_runs, family)))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_killing_a_tree_twice_does_nothing_the_second_time(start):
    process, _ = start(f"import os; print(os.getpid(), flush=True); {SLEEP}")
    plain.kill_tree(process)
    process.wait(LONG_S)
    plain.kill_tree(process)


def test_the_tree_of_a_process_that_is_gone_is_empty(start):
    process, _ = start("import os; print(os.getpid(), flush=True)")
    process.wait(LONG_S)
    assert plain.process_tree(process.pid) == plain.family_of(process.pid) == []


def test_security_a_stranger_who_got_a_dead_workers_number_is_not_killed(start, monkeypatch):
    dead, _ = start("import os; print(os.getpid(), flush=True)")
    dead.wait(LONG_S)
    stranger, _ = start(f"import os; print(os.getpid(), flush=True); {SLEEP}")
    killed: list[object] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "killpg", lambda group, _: killed.append(group))
        patched.setattr(psutil.Process, "kill", lambda process: killed.append(process.pid))
        patched.setattr(dead, "pid", stranger.pid)  # what the kernel does when its numbers have come round
        plain.kill_tree(dead)
    assert killed == []


# --- the scratch folder -----------------------------------------------------------------------------------------------


def _nest(folder: Path, levels: int) -> None:
    """Make folders in folders, to a depth that no path can name."""
    name = "d" * 200
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


def _too_deep(*_args: object, **_options: object) -> None:
    raise RecursionError


@pytest.mark.skipif(os.mkdir not in os.supports_dir_fd, reason="no such paths here")
@pytest.mark.parametrize("rmtree", [shutil.rmtree, _too_deep], ids=["deep", "deeper-than-python-can-go"])
def test_security_a_scratch_folder_is_removed_however_deep(tmp_path, monkeypatch, rmtree):
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    folder = tmp_path / "scratch"
    folder.mkdir()
    _nest(folder, 60)
    leftovers.remove_tree(folder)
    assert not folder.exists()


def test_what_links_lead_to_is_not_removed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "kept", target_is_directory=True)
    leftovers.remove_tree(folder)
    assert not folder.exists()
    assert (tmp_path / "kept" / "file").exists()


# --- memory ---------------------------------------------------------------------------------------------------------


class Member:
    """A process of the given memory."""

    def __init__(self, rss: int, pss: int | None = None) -> None:
        self.rss, self.pss = rss, pss

    def memory_info(self) -> SimpleNamespace:
        return SimpleNamespace(rss=self.rss)

    def memory_full_info(self) -> SimpleNamespace:
        return self.memory_info() if self.pss is None else SimpleNamespace(rss=self.rss, pss=self.pss)


class Gone(Member):
    def memory_info(self) -> SimpleNamespace:
        raise psutil.NoSuchProcess(1)


class Closed(Member):
    def memory_full_info(self) -> SimpleNamespace:
        raise psutil.AccessDenied(1)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Watches made-up processes with a limit of 100 bytes; says whether the box was ended within some rounds."""
    watches: list[plain.MemoryWatch] = []

    def watch(*members: Member) -> bool:
        ended, rounds = threading.Event(), itertools.count(1)
        enough = threading.Event()

        def tree(pid: int) -> list[Member]:
            if next(rounds) > 6:
                enough.set()
            return list(members)

        monkeypatch.setattr(plain, "process_tree", tree)

        def end() -> None:
            ended.set()
            enough.set()

        monkeypatch.setattr(plain.MemoryWatch, "_EVERY_S", 0.001)
        watches.append(plain.MemoryWatch(os.getpid(), 100, end))
        assert enough.wait(LONG_S)
        return ended.is_set()

    yield watch
    for each in watches:
        each.stop()


def test_security_the_memory_of_the_whole_tree_counts(watched):
    assert watched(Member(60, 60), Member(60, 60))


def test_pages_that_forked_processes_share_count_once(watched):
    assert not watched(Member(90, 45), Member(90, 45))


def test_where_no_shares_are_known_the_resident_size_counts(watched):
    assert watched(Member(101))


def test_security_a_process_whose_shares_may_not_be_asked_for_counts_as_it_is(watched):
    assert watched(Closed(60), Closed(60))


def test_a_process_that_ends_while_it_is_counted_counts_nothing(watched):
    assert not watched(Member(100, 100), Gone(0))


def test_a_watch_that_is_stopped_ends():
    before = set(threading.enumerate())
    watch = plain.MemoryWatch(os.getpid(), 1 << 60, lambda: None)
    (thread,) = set(threading.enumerate()) - before
    watch.stop()
    thread.join(LONG_S)
    assert not thread.is_alive()
