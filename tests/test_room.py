from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from autograder.box import memory
from autograder.box.grant import slots
from autograder.box.linux.cgroup import LimitingGroup, limiting_groups
from autograder.box.nvml import Gpu
from autograder.course import load_course
from autograder.judge.judges import Refused
from autograder.judge.options import AttemptOptions
from autograder.limits import MB
from autograder.run import room as rooms
from autograder.run.room import Room, attempts_at_once, room_for
from autograder.submission import Submission
from tests.tiny_course import ASSIGNMENT, make_course, write

GPUS = (Gpu("GPU-1", 0, "H100", 80 << 30), Gpu("GPU-2", 1, "H100", 80 << 30))
SUBMISSION = Submission("sums.py", {"sums.py": b""}, "sums.py")


@dataclass
class Memory:
    """What is free, as told one after the other; the last for ever."""

    told: list[int]

    def __call__(self) -> int:
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]


@dataclass
class Judges:
    """Judges that note what each attempt was granted."""

    granted: list[object] = field(default_factory=list)

    def start(self, assignment, submission, options):
        self.granted.append(options.grant)
        return Refused(ValueError())


@pytest.fixture
def assignment(tmp_path):
    make_course(tmp_path)
    return load_course(tmp_path).assignment("hw1")


@pytest.fixture
def with_framework(tmp_path):
    make_course(tmp_path)
    write(tmp_path / "assignments/hw1_sums/assignment.yml", ASSIGNMENT + "frameworks: [torch]\n")
    return load_course(tmp_path).assignment("hw1")


# --- memory -----------------------------------------------------------------------------------------------------------


def test_as_many_start_as_fit_into_what_there_was_at_first():
    room = Room(1000 * MB, 500 * MB, available=Memory([3600 * MB]))
    assert [bool(room.why_not(running)) for running in range(5)] == [False, False, False, True, True]


def test_what_other_programs_take_is_waited_for():
    room = Room(1000 * MB, 0, available=Memory([9000 * MB, 900 * MB, 1000 * MB]))
    assert room.why_not(0) == ""
    assert "900 MB" in room.why_not(1)
    assert room.why_not(1) == ""


def test_one_always_runs():
    room = Room(1000 * MB, 0, available=Memory([1 * MB]))
    assert (room.why_not(0), bool(room.why_not(1))) == ("", True)


def test_an_attempt_may_take_what_its_limits_say(assignment):
    room = room_for(assignment, AttemptOptions(device="cpu"), 2)
    assert room.needed_bytes >= assignment.limits.memory_mb * MB
    assert room.free == []


GROUPS_1 = "4:memory:/docker/abc/def\n0::/\n"
MOUNTS_1 = "36 25 0:30 /docker/abc {folder} rw - cgroup cgroup rw,memory\n"
GROUPS_2 = "0::/box/inner\n"
MOUNTS_2 = "36 25 0:30 / {folder} rw - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("own", "mounts", "inner", "version"),
    [(GROUPS_1, MOUNTS_1, "def", 1), (GROUPS_2, MOUNTS_2, "box/inner", 2)],
)
def test_a_containers_limit_counts_and_those_above_it(tmp_path, own, mounts, inner, version):
    folder = tmp_path / inner
    names = {1: ("limit_in_bytes", "usage_in_bytes", "total_inactive_file"), 2: ("max", "current", "inactive_file")}
    limit, usage, inactive = names[version]
    for each, most, used in ((folder, "9223372036854771712" if version == 1 else "max", 0), (tmp_path, 1000, 700)):
        write(each / f"memory.{limit}", f"{most}\n")
        write(each / f"memory.{usage}", f"{used}\n")
        write(each / "memory.stat", f"cache 5\n{inactive} 50\n")
    groups = list(limiting_groups("memory", own, mounts.format(folder=tmp_path)))
    assert groups[0] == LimitingGroup(folder, version)
    assert groups[-1] == LimitingGroup(tmp_path, version)
    assert memory.left_in_groups(iter(groups)) == [350]


def test_what_there_is_is_never_more_than_the_machine_has():
    assert 0 < memory.available_bytes() <= memory.psutil.virtual_memory().total


# --- GPUs -------------------------------------------------------------------------------------------------------------


def test_each_attempt_has_a_gpu_of_its_own_and_gives_it_back(assignment):
    room, judges = Room(free=list(slots(GPUS))), Judges()
    first = room.start(judges, assignment, SUBMISSION, AttemptOptions())
    second = room.start(judges, assignment, SUBMISSION, AttemptOptions())
    assert [grant.visible for grant in judges.granted] == ["GPU-1", "GPU-2"]
    room.give_back(second)
    room.start(judges, assignment, SUBMISSION, AttemptOptions())
    assert judges.granted[-1].visible == "GPU-2"
    room.give_back(first)
    assert [grant.visible for grant in room.free] == ["GPU-1"]


@pytest.mark.parametrize(
    ("asked", "at_once", "shares"),
    [
        (("cuda", None), 2, [1.0, 1.0]),
        (("auto", None), 2, [1.0, 1.0]),
        (("cuda", 1), 1, [1.0, 1.0]),
        (("cuda", 4), 4, [0.5] * 4),
        (("cuda", 3), 3, [0.5] * 4),
        (("cpu", 3), 3, []),
    ],
)
def test_more_attempts_than_gpus_share_them(monkeypatch, with_framework, asked, at_once, shares):
    monkeypatch.setattr(rooms, "gpus_here", lambda: GPUS)
    device, jobs = asked
    options = AttemptOptions(device=device)
    assert attempts_at_once(with_framework, options, jobs) == at_once
    assert [grant.share for grant in room_for(with_framework, options, at_once).free] == shares


def test_without_a_framework_there_is_nothing_to_do_for_a_gpu(monkeypatch, assignment):
    monkeypatch.setattr(rooms, "gpus_here", lambda: GPUS)
    monkeypatch.setattr(rooms, "one_per_core", lambda: 7)
    assert attempts_at_once(assignment, AttemptOptions(), None) == 7
    assert room_for(assignment, AttemptOptions(), 7).free == []
