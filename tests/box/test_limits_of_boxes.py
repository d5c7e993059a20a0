"""Each limit of a box ends what it bounds, and says which it was, its value and what was used."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from autograder.box.causes import full_files
from autograder.box.client import BoxClient, StudentRaised
from autograder.box.init import Room
from autograder.box.linux import cgroup
from autograder.box.spec import BoxSpec
from autograder.judge import limit_words
from autograder.limits import MB, Limits
from autograder.results import Status
from tests.box.conftest import Driven, close, sealed_only

SOURCE = """
    import mmap, os, threading
    import numpy as np

    def write(size):
        with open("big", "wb") as file: file.write(bytes(size))
    def save(size): np.save("big.npy", np.zeros(size // 8))
    def parts(count, size):
        for number in range(count):
            with open(f"part{number}", "wb") as file: file.write(bytes(size))
    def shared(size):
        with open("/dev/shm/block", "wb") as file: file.write(bytes(size))
    def many(count):
        for number in range(count): os.mkdir(f"d{number}")
    def mapped(size):
        file = open("mapped", "w+b")
        file.truncate(size)
        memory = mmap.mmap(file.fileno(), size)
        for at in range(0, size, 4096): memory[at] = 1
    def share(size):
        memory = mmap.mmap(-1, size)
        for at in range(0, size, 4096): memory[at] = 1
    def share_later(size):
        threading.Timer(0.2, share, [size]).start()
    def answer(size): return np.zeros(size // 8)
    def spin():
        while True: pass
    def spin_in_turn(count, seconds):
        import time
        for _ in range(count):
            child = os.fork()
            if child == 0:
                while time.process_time() < seconds: pass
                os._exit(0)
            os.waitpid(child, 0)
    HELD = []
    def hold(size): HELD.append(np.ones(size // 8))
    def say(size):
        for _ in range(size >> 10): print("x" * 1023)
    def unlink(): os.unlink("big")
    def one(): return 1
"""


@pytest.fixture
def limited() -> Iterator[Any]:
    """Opens sealed boxes with these limits."""
    made: list[BoxClient] = []

    def open_(**limits: float) -> Driven:
        files = {"answer.py": textwrap.dedent(SOURCE).encode()}
        made.append(BoxClient(BoxSpec(files, "answer.py", (), "cpu", Limits(**limits), isolation="namespaces")))
        return Driven(made[-1])

    yield open_
    for client in made:
        close(client)


def limit_in(student, name, *arguments, **limits):
    """Call it, and return the cause that the student is told of."""
    with pytest.raises(StudentRaised) as caught:
        student.call(name, *arguments)
    return limit_words.reached(caught.value, Limits(**limits))


@pytest.mark.parametrize(
    ("name", "arguments", "limits", "told"),
    [
        ("write", (8 * MB,), {"disk_mb": 4}, (Status.OUTPUT, "disk", "4", "4.0")),
        ("parts", (100, MB), {"disk_mb": 4}, (Status.OUTPUT, "disk", "4", "4.0")),
        ("shared", (8 * MB,), {"disk_mb": 4}, (Status.OUTPUT, "disk", "4", "4.0")),
        ("save", (32 * MB,), {"disk_mb": 4}, (Status.OUTPUT, "write", "4", "0.0")),
        ("write", (8 * MB,), {"file_mb": 4, "disk_mb": 64}, (Status.OUTPUT, "file", "4", "")),
        ("many", (1000,), {"files": 100}, (Status.OUTPUT, "files", "100", "100")),
        ("answer", (3 * MB,), {"answer_mb": 2}, (Status.OUTPUT, "answer", "2", "3.0")),
    ],
    ids=str,
)
@sealed_only
def test_a_limit_that_a_box_survives_is_named_with_its_value_and_what_was_used(limited, name, arguments, limits, told):
    student = limited(**limits)
    assert limit_in(student, name, *arguments, **limits) == told
    assert student.call("one") == 1


@sealed_only
def test_a_mapped_file_without_room_ends_the_box_and_is_no_crash(limited):
    assert limited(disk_mb=4).death_in("mapped", 8 * MB) == (Status.OUTPUT, "disk", "4", "4.0")


@pytest.mark.parametrize("processes", [0, 2])
@sealed_only
def test_security_shared_memory_which_no_process_is_charged_for_ends_the_box_as_memory(limited, processes):
    cause = limited(memory_mb=256, processes=processes).death_in("share", 600 * MB, timeout_s=60)
    assert cause[:3] == (Status.MEMORY, "memory", "256")


@sealed_only
def test_security_a_box_that_takes_too_much_while_nobody_waits_for_it_is_found_dead_of_that(limited, until):
    student = limited(memory_mb=256)
    student.call("share_later", 600 * MB)
    assert until(lambda: not student.client.alive)
    assert student.death_in("one")[:3] == (Status.MEMORY, "memory", "256")


@sealed_only
def test_a_thread_looks_at_the_memory_of_a_box_only_where_the_kernel_alone_would_not_end_it(limited):
    def looked_at(**limits: int) -> bool:
        before = set(threading.enumerate())
        limited(**limits)
        return "box memory" in {one.name for one in set(threading.enumerate()) - before}

    try:
        cgroup.places()
    except OSError:  # no groups here, as for most ordinary users
        assert looked_at()
    else:
        assert not looked_at()
    assert looked_at(processes=2)


@sealed_only
def test_security_what_the_files_take_is_asked_of_the_file_system_and_not_of_the_box(limited):
    student = limited(disk_mb=64)
    with pytest.raises(StudentRaised) as caught:
        student.call("write", 100 * MB)
    assert caught.value.room.disk_bytes == 64 * MB
    student.call("unlink")
    assert student.client._running.room().disk_bytes < MB


@pytest.mark.parametrize(("size", "kept"), [(MB, True), (MB + 8, False)])
def test_an_answer_may_have_so_many_bytes_and_no_more(open_box, size, kept):
    student = open_box(SOURCE, answer_mb=1)
    if kept:
        assert student.call("answer", size).nbytes == size
    else:
        assert limit_in(student, "answer", size, answer_mb=1)[:2] == (Status.OUTPUT, "answer")
        assert student.call("one") == 1


def test_processor_time_is_told_with_its_limit(open_box):
    cause = open_box(SOURCE, box_cpu_s=1).death_in("spin", timeout_s=60)
    assert cause == (Status.TIMEOUT, "cpu", "1", "")


def test_processor_time_counts_all_processes_together(open_box, backend):
    """Each of them stays within the limit of one process."""
    if backend == "restricted":
        pytest.skip("starts no processes")
    cause = open_box(SOURCE, processes=8, box_cpu_s=2).death_in("spin_in_turn", 20, 0.5, timeout_s=100)
    assert cause == (Status.TIMEOUT, "cpu", "2", "")


def test_what_a_box_has_taken_is_told(open_box):
    student = open_box(SOURCE)
    student.call("hold", 64 * MB)
    student.call("write", 8 * MB)
    student.call("say", 3 * MB)
    student.client.take_advice()
    needs = student.client.needs()
    assert 64 <= needs.memory_mb < 1000
    assert 0 <= needs.cpu_s < 60
    assert 3 <= needs.output_mb < 3.5
    if student.client.isolation == "namespaces":
        assert 8 <= needs.disk_mb < 8.5
        assert 6 <= needs.files < 12


@pytest.mark.parametrize(
    ("room", "kind"),
    [
        (None, None),
        (Room(0, 4), None),
        (Room(9 * MB, 4), None),
        (Room(10 * MB, 4), "disk"),
        (Room(int(9.9 * MB), 4), "disk"),
        (Room(0, 99), None),
        (Room(0, 100), "files"),
    ],
)
def test_full_files(room, kind):
    full = full_files(room, Limits(disk_mb=10, files=100))
    assert (full and full.kind) == kind
