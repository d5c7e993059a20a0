"""Fuzz the judge with hostile frames: `python -m tests.box.fuzz_frames 1000000`.

Each example of hypothesis is a frame of a reply's structure, and nine damaged ones of it. They go through a real
socket to the judge as it is, and what comes of each is a value, an exception of the student's, or one clear end of the
box; anything else (another exception, more memory) ends the run and shows the frame. What came is printed in JSON.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from autograder.box.protocol import MAX_PAYLOAD_BYTES
from tests.box.hostile import Judge, outcome
from tests.box.hostile_frames import Made, damaged, frames

OF_ONE = 10  # frames of one example
_OF_ONE_RUN = 20_000  # hypothesis remembers each example of a run, which is not to be taken for the judge's memory
_STAYS_OPEN = 30  # one in so many truncated frames is waited for until the deadline
MB = 1 << 20
# One frame's payload, reserved before its bytes come, and what the interpreter and its collector need beside.
_MOST_BYTES = MAX_PAYLOAD_BYTES + 256 * MB


def main() -> None:
    """Run, and print what came."""
    count = int(sys.argv[1])
    came: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        judge = Judge(patch)
        run(judge, came, 1000, number=0)  # what is imported and remembered once
        before = _begin_peak()
        _limit_memory()
        began = time.monotonic()
        came.clear()
        for number in range(1, 1 + -(-count // _OF_ONE_RUN)):
            run(judge, came, min(count, _OF_ONE_RUN), number)
            print(f"{came.total():,} frames, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # noqa: T201 - a program
        judge.close()
    told = {
        "frames": came.total(),
        "outcomes": dict(sorted(came.items())),
        "seconds": round(time.monotonic() - began, 1),
        "peak_growth_mb": round((_status_bytes("VmHWM") - before) / MB, 1),
        "descriptors": psutil.Process().num_fds(),
        "threads": psutil.Process().num_threads(),
    }
    print(json.dumps(told))  # noqa: T201


def run(judge: Judge, came: Counter[str], count: int, number: int) -> None:
    """Ask so many frames of one seed, and count what came of them."""

    @seed(number)
    @settings(
        max_examples=count // OF_ONE, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate], report_multiple_bugs=False, print_blob=False,  # the frame that failed is small already
    )  # fmt: skip
    @given(frames())
    def fuzz(made: Made) -> None:
        frame = made.frame()
        chance = random.Random(frame)
        for one in (frame, *(damaged(frame, chance) for _ in range(OF_ONE - 1))):
            try:
                came[outcome(judge, made.question, one, stays_open=chance.randrange(_STAYS_OPEN) == 0)] += 1
            except BaseException as error:
                error.add_note(f"an answer to {made.question!r}: {one!r}")
                raise

    fuzz()


def _begin_peak() -> int:
    """Have the kernel forget this program's peak, and return the memory it has now: the peak from here on.

    In a fresh folder hypothesis makes its table of characters first, which takes 200 MB: no growth would be seen.
    """
    Path("/proc/self/clear_refs").write_text("5")
    return _status_bytes("VmHWM")


def _limit_memory() -> None:
    """More than this is a MemoryError, which is no outcome."""
    resource.setrlimit(resource.RLIMIT_DATA, (_status_bytes("VmData") + _MOST_BYTES, resource.RLIM_INFINITY))


def _status_bytes(name: str) -> int:
    """Return what the kernel says of this program's memory. Its ru_maxrss begins with that of whoever started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
