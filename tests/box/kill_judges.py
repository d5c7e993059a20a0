"""Kill judges at random moments, and see what they leave: `python -m tests.box.kill_judges 50 namespaces`.

Each runs boxes one after the other. Orphans become children of this process, so none escapes the count. In JSON: what
is left by then, and what is left once one more judge has started and ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from autograder.box import leftovers
from autograder.box.linux.syscalls import Prctl, prctl
from tests.box import soak

_LONGEST_S = 0.7  # while a zygote starts, in a box's making, between boxes
_GONE_S = 60.0


def main() -> None:
    """Run, and print what is left."""
    count, isolation = int(sys.argv[1]), sys.argv[2]
    prctl(Prctl.SET_CHILD_SUBREAPER, 1)
    chance = random.Random(count)
    # The first look removes what was left before. Mounts by number: what somebody else unmounts meanwhile hides none.
    mounts, _ = soak.mount_ids("self"), soak.group_count(os.getpid())
    judges = [_kill_one(isolation, chance) for _ in range(count)]
    told = {
        "kills": count,
        "processes": left(),
        "mounts": len(soak.mount_ids("self") - mounts),
        "groups": sum(map(soak.group_count, judges)),
        "scratch_folders": _scratch_folders(),
    }
    _judge(10, isolation).wait()
    told |= {"groups_then": sum(map(soak.group_count, judges)), "scratch_folders_then": _scratch_folders()}
    print(json.dumps(told))  # noqa: T201 - a program


def _judge(boxes: int, isolation: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.box.soak", "boxes", str(boxes), isolation]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _kill_one(isolation: str, chance: random.Random) -> int:
    """Start a judge, kill it a moment after its first process is there, and return its number."""
    with _judge(10**6, isolation) as judge:
        while not psutil.Process(judge.pid).children():
            time.sleep(0.01)
        time.sleep(chance.uniform(0, _LONGEST_S))
        judge.kill()
    return judge.pid


def left() -> int:
    """Return how many processes are left in the end; all that were started are children of this one by now."""
    deadline = time.monotonic() + _GONE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not psutil.Process().children(recursive=True):
            return 0
        time.sleep(0.1)
    return len(psutil.Process().children(recursive=True))


def _scratch_folders() -> int:
    return len(list(Path(tempfile.gettempdir()).glob(f"{leftovers.PREFIX}*")))


if __name__ == "__main__":
    main()
