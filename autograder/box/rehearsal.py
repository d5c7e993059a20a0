"""A rehearsal: one load and one call of a submission that is nobody's, before somebody waits (inside the box).

In the zygote it finds what Python imports and looks up only when it is first used. In a spare box it touches the memory
that a load touches: a forked process copies a page when it first writes to it, and Python writes to whatever it looks
at. It leaves no trace: its files and modules are taken away again, and the load that comes seeds all generators anew.

Imported inside the box: the standard library, numpy and the protocol only.
"""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from autograder.box.channel import Channel
from autograder.box.importing import MODULE_NAME
from autograder.box.protocol import MAX_PAYLOAD_BYTES, ArrayNode, Call, Load, Path, Reply, Request, decode_reply
from autograder.box.worker import Worker

_MAIN = "rehearsal.py"
# What homework is made of, for compiling it writes to more memory than anything else.
_SOURCE = b"""\
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

RATES = {"small": 0.01, "large": [0.1, 1.0]}

@dataclass
class Layer:
    size: int
    name: str = "layer"

    def forward(self, x, *rest, **named):
        \'\'\'Return what comes out of it.\'\'\'
        assert x is not None, f"no input for {self.name}"
        return (x @ x.T)[:, 1:] / self.size ** 2 - np.exp(-x) * 2

def steps(xs, y=None, *, seed=0):
    total, kept = 0.0, []
    for i, x in enumerate(sorted(xs, key=lambda one: -one)):
        if x > 0 and not math.isnan(x):
            kept.append({"x": x, "odd": i % 2 == 1})
        elif y is None:
            continue
        else:
            total += x if y else -x
    while total > 1:
        total -= 1
    try:
        with open("none") as file:
            lines = [line.strip() for line in file if line]
    except (OSError, ValueError) as error:
        raise RuntimeError(str(error)) from None
    return lines, total, kept

def one():
    return 1

if __name__ == "__main__":
    print(steps([1, 2, 3]))
"""


def rehearse(frameworks: list[str]) -> Reply:
    """Load and call, by the same code as everything else, on a channel that leads nowhere.

    Args:
        frameworks: those that are imported here already.

    Returns:
        The answer to the call.
    """
    ours, theirs = socket.socketpair()
    judge, channel = Channel(ours), Channel(theirs)
    folder = FilePath(tempfile.mkdtemp())
    path = list(sys.path)
    try:
        worker = Worker(channel, folder, is_set_up=True)
        content = np.frombuffer(_SOURCE, np.uint8)
        _ask(judge, worker, _load(frameworks, content.size), [content])
        return _ask(judge, worker, Call(id=2, target=Path("one"), args=[], kwargs={}, seed=0), [])
    finally:
        sys.path[:] = path
        for name in (MODULE_NAME, FilePath(_MAIN).stem):
            sys.modules.pop(name, None)
        shutil.rmtree(folder)
        judge.close()
        channel.close()


def _ask(judge: Channel, worker: Worker, request: Request, arrays: list[np.ndarray[Any, Any]]) -> Reply:
    judge.send(request, arrays)
    worker.serve_one()
    return decode_reply(judge.receive().header)


def _load(frameworks: list[str], size: int) -> Load:
    return Load(
        id=1,
        files=[_MAIN],
        contents=[ArrayNode("|u1", [size])],
        main=_MAIN,
        generation=0,
        device="cpu",
        threads=1,
        memory_bytes=0,
        cpu_s=0,
        file_bytes=0,
        answer_bytes=MAX_PAYLOAD_BYTES,
        frameworks=frameworks,
    )
