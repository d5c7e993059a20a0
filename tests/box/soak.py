"""Many boxes or attempts in one judge, and what it holds after them: `python -m tests.box.soak boxes 1000 namespaces`.

Counts what must not grow: descriptors, threads, processes, mounts, control groups, scratch folders, memory; of the
judge and of the zygote. After a tenth of them, when everything is remembered that will be, and after all. In JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from autograder.box import zygotes
from autograder.box.client import BoxClient
from autograder.box.linux import cgroup
from autograder.box.protocol import Call
from autograder.box.protocol import Path as Name
from autograder.box.spec import BoxSpec
from autograder.limits import Limits
from autograder.results import Status

_SETTLE_S = 30.0
_SOURCE = b"def write(): open('file', 'w').write('x' * 100000)\nprint('imported')"


class Held(NamedTuple):
    """What is held."""

    descriptors: int
    threads: int
    processes: int
    mounts: int
    groups: int
    scratch_folders: int
    zygote_descriptors: int
    zygote_mounts: int
    zygote_mappings: int
    memory_kb: int  # that nobody else has: what is shared with the zygote comes and goes with it
    zygote_memory_kb: int

    def counts(self) -> tuple[int, ...]:
        """What can be counted: it must be the same, not only bounded."""
        return self[:-2]


def main() -> None:
    """Run, and print what is held."""
    one, count, isolation = {"boxes": _box, "attempts": _attempt}[sys.argv[1]], int(sys.argv[2]), sys.argv[3]
    held: list[Held] = []
    for part in (count // 10, count - count // 10):
        for _ in range(part):
            one(isolation)
        held.append(_settled(held[0].counts() if held else None))
    zygotes.close_zygotes()
    print(json.dumps([each._asdict() for each in held]))  # noqa: T201 - a program


def _box(isolation: str) -> None:
    spec = BoxSpec({"answer.py": _SOURCE}, "answer.py", (), "cpu", Limits(), isolation=isolation)
    client = BoxClient(spec)
    client.loaded()
    client.request(lambda number: Call(id=number, target=Name("write"), args=[], kwargs={}, seed=0), [])
    client.close()


def _attempt(isolation: str) -> None:
    from tests.tiny_course import attempt, make_course

    course = Path(tempfile.gettempdir()) / "course"
    report = attempt(course if course.is_dir() else make_course(course), hidden=True, isolation=isolation)
    assert report.status is Status.PASSED, report.model_dump_json()


def _settled(wanted: tuple[int, ...] | None) -> Held:
    """Return what is held, once nothing of it is on its way out: a box's threads and its zygote are told of its end."""
    deadline = time.monotonic() + _SETTLE_S
    seen = _held()
    while time.monotonic() < deadline:
        time.sleep(0.3)
        before, seen = seen, _held()
        if seen.counts() == (wanted or before.counts()):
            break
    return seen


def _held() -> Held:
    gc.collect()
    judge = psutil.Process()
    started = [psutil.Process(one.pid) for one in zygotes._zygotes.values()]
    warm = [[*one.children(), one][0] for one in started]  # a jailed one is the child of what was started
    return Held(
        descriptors=judge.num_fds(),
        threads=judge.num_threads(),
        processes=len(judge.children(recursive=True)),
        mounts=mount_count("self"),
        groups=group_count(judge.pid),
        scratch_folders=len(list(Path(tempfile.gettempdir()).glob("grade-box-*"))),
        zygote_descriptors=sum(one.num_fds() for one in warm),
        zygote_mounts=sum(mount_count(one.pid) for one in warm),
        zygote_mappings=sum(len(one.memory_maps(grouped=False)) for one in warm),
        memory_kb=judge.memory_full_info().uss >> 10,
        zygote_memory_kb=sum(one.memory_info().rss for one in warm) >> 10,
    )


def group_count(judge: int) -> int:
    """Return how many control groups there are of a judge's boxes."""
    try:
        places = cgroup.places()
    except OSError:
        return 0
    return sum(len(list(place.folder.glob(f"grade-box-{judge}-*"))) for place in places)


def mount_count(process: int | str) -> int:
    """Return how much is mounted in a process's namespace."""
    return len(mount_ids(process))


def mount_ids(process: int | str) -> frozenset[str]:
    """Return the kernel's numbers of what is mounted in a process's namespace."""
    return frozenset(line.split()[0] for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines())


if __name__ == "__main__":
    main()
