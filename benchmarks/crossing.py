"""What crossing the boundary costs: a 47 MB array in both directions, and small calls.

    python benchmarks/crossing.py

Beside them stand the plain copy of the array, and pickle through a pipe (what multiprocessing does), in the same run.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
from timing import medians, seconds_of, table

from autograder.assignment import Entry
from autograder.box.spec import BoxSpec
from autograder.judge.boxes import Boxes
from autograder.judge.listener import Listener
from autograder.judge.proxy import Submission, boxed, unboxed

ROUNDS = 15
SMALL_CALLS = 1000
SOURCE = b"""
class Counter:
    def __init__(self): self.count = 0
    def up(self, by): self.count += by; return self.count
def small(x): return x[0]
"""


def echo(pipe: Connection) -> None:
    """Answer each message with itself, by pickle."""
    while (value := pipe.recv()) is not None:
        pipe.send(value)


def pickled(pipe: Connection, value: object) -> Callable[[], object]:
    """Return a round trip by pickle."""

    def run() -> object:
        pipe.send(value)
        return pipe.recv()

    return run


def main() -> None:
    """Measure and print."""
    images = np.zeros((60_000, 28, 28), dtype=np.uint8)
    entry = Entry(file="a.py", names=("small",))
    boxes = Boxes(BoxSpec(files={"a.py": SOURCE}, main="a.py", frameworks=()), entry, Listener())
    ours, theirs = multiprocessing.Pipe()
    peer = multiprocessing.get_context("spawn").Process(target=echo, args=(theirs,))
    peer.start()
    try:
        submission = Submission(boxes)
        boxes.begin_check(hidden=False, hidden_left=0)
        kept = boxed(submission, images)
        counter = submission.Counter()
        took = medians(
            {
                "copy in one process": images.copy,
                "judge to box": lambda: boxed(submission, images),
                "box to judge": lambda: unboxed(kept),
                "pickle through a pipe, there and back": pickled(ours, images),
            },
            ROUNDS,
        )
        copied = took["copy in one process"]
        rows = [(f"47 MB: {name}", f"{seconds * 1e3:.1f} ms", f"{seconds / copied:.1f} × copy")
                for name, seconds in took.items()]  # fmt: skip
        calls = seconds_of(lambda: [submission.small([1, 2]) for _ in range(SMALL_CALLS)])
        methods = seconds_of(lambda: [counter.up(1) for _ in range(SMALL_CALLS)])
        pickles = seconds_of(lambda: [pickled(ours, [1, 2])() for _ in range(SMALL_CALLS)])
        rows += [
            (f"{SMALL_CALLS} calls of a function", f"{calls * 1e3:.0f} ms", f"{calls / pickles:.1f} × pickle"),
            (f"{SMALL_CALLS} calls of a method", f"{methods * 1e3:.0f} ms", f"{methods / pickles:.1f} × pickle"),
            (f"{SMALL_CALLS} pickle round trips", f"{pickles * 1e3:.0f} ms", ""),
        ]
        table(f"crossing, medians of {ROUNDS}", rows)
    finally:
        ours.send(None)
        peer.join()
        boxes.close()


if __name__ == "__main__":
    main()
