"""What a sealed box costs: its start, a call, a large array, a training inside against outside.

    python benchmarks/box.py [--rounds 50] [numpy] [torch] [tensorflow]

A start is from the request until the student's first line has run, told by the clock that all processes share.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from autograder.box import sealed
from autograder.box.client import BoxClient, BoxSpec
from autograder.box.protocol import Call, Path, Value
from autograder.box.values import Decoder, Encoder
from autograder.limits import Limits

LIMITS = Limits(memory_mb=2048)
SOURCE = {
    "numpy": b"""
import time
BEGAN = time.monotonic()
import numpy as np
def began(): return BEGAN
def one(): return 1
def echo(x): return x
def work(x):
    w = x
    for _ in range(20): w = w @ x / 500
    return float(w.sum())
""",
    "torch": b"""
import time
BEGAN = time.monotonic()
import torch
def began(): return BEGAN
def one(): return 1
def work(x):
    model = torch.nn.Sequential(torch.nn.Linear(500, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(100):
        optimizer.zero_grad()
        loss = model(torch.from_numpy(x).float()).square().mean()
        loss.backward()
        optimizer.step()
    return loss.item()
def steps(x):
    layer = torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam(layer.parameters())
    for _ in range(5):
        optimizer.zero_grad(); layer(torch.ones(8, 4)).square().mean().backward(); optimizer.step()
    return 1
""",
    "tensorflow": b"""
import time
BEGAN = time.monotonic()
import tensorflow as tf
def began(): return BEGAN
def one(): return 1
def work(x):
    w = tf.constant(x)
    for _ in range(20): w = w @ w / 500
    return float(tf.reduce_sum(w))
""",
}


class Measured(NamedTuple):
    """Seconds, as they were measured."""

    values: list[float]

    def __str__(self) -> str:
        ordered = sorted(self.values)
        return f"{1e3 * statistics.median(ordered):.2f} ms (p90 {1e3 * ordered[int(0.9 * (len(ordered) - 1))]:.2f})"


def open_box(framework: str, isolation: str) -> BoxClient:
    """Start a box for a framework."""
    frameworks = () if framework == "numpy" else (framework,)
    return BoxClient(
        BoxSpec({"answer.py": SOURCE[framework]}, "answer.py", frameworks, "cpu", LIMITS, isolation=isolation)
    )


def call(box: BoxClient, name: str, *args: object) -> Value:
    """Call a function of the student's."""
    encoder = Encoder(_refuse)
    nodes = [encoder.value(value) for value in args]
    answer = box.request(
        lambda number: Call(id=number, target=Path(name), args=nodes, kwargs={}, seed=0), encoder.arrays
    )
    return Decoder(answer.reader, lambda node: node).value(answer.value)  # type: ignore[no-any-return]


def _refuse(value: object) -> Value:
    raise TypeError(type(value))


def start(framework: str, isolation: str, *, settle_s: float = 0.0) -> tuple[float, float]:
    """Return the seconds until the student's first line, and of the whole life of a box that is called once."""
    time.sleep(settle_s)
    asked = time.monotonic()
    box = open_box(framework, isolation)
    box.loaded()
    began = call(box, "began")
    first = float(began) - asked  # type: ignore[arg-type]
    box.close()
    return first, time.monotonic() - asked


def starts(framework: str, isolation: str, rounds: int, *, settle_s: float = 0.0) -> tuple[Measured, Measured]:
    """Return what starts and whole lives took."""
    both = [start(framework, isolation, settle_s=settle_s) for _ in range(rounds)]
    return Measured([first for first, _ in both]), Measured([life for _, life in both])


def paired_ratio(framework: str, rounds: int) -> tuple[float, float, float]:
    """Return how much longer a training takes inside than outside: the median of pairs, and its quartiles."""
    x = np.random.default_rng(0).normal(size=(500, 500))
    inside, outside = open_box(framework, "namespaces"), open_box(framework, "process")
    for box in (inside, outside):
        call(box, "work", x)  # lazy imports and first-time choices
    ratios = []
    for _ in range(rounds):
        took = []
        for box in (inside, outside):
            began = time.perf_counter()
            call(box, "work", x)
            took.append(time.perf_counter() - began)
        ratios.append(took[0] / took[1])
    inside.close()
    outside.close()
    low, median, high = statistics.quantiles(ratios, n=4)
    return median, low, high


def repeated(rounds: int, run: Callable[[], object]) -> Measured:
    """Return what repeating something takes."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return Measured(taken)


def private_memory(framework: str) -> tuple[float, float]:
    """Return the private and the proportional MB of a box that waits."""
    box = open_box(framework, "namespaces")
    call(box, "one")
    members = box._running.process.members()  # type: ignore[attr-defined]  # noqa: SLF001
    maps = [psutil.Process(member.pid).memory_full_info() for member in members]
    box.close()
    return sum(one.uss for one in maps) / 1e6, sum(one.pss for one in maps) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("frameworks", nargs="*", default=["numpy", "torch", "tensorflow"])
    parser.add_argument("--rounds", type=int, default=50)
    asked = parser.parse_args()
    table = Table("what", *asked.frameworks, title=f"sealed boxes, medians of {asked.rounds}", title_justify="left")
    columns = [column(framework, asked.rounds) for framework in asked.frameworks]
    for name in columns[0]:
        table.add_row(name, *(one.get(name, "") for one in columns))
    Console(width=150).print(table)
    sealed.keep_spares(0)


def column(framework: str, rounds: int) -> dict[str, str]:
    """Return everything that is measured for a framework, by name."""
    start(framework, "namespaces")  # the zygote
    made: dict[str, str] = {}
    cold, cold_life = starts(framework, "process", max(rounds // 10, 3))
    warm, warm_life = starts(framework, "namespaces", rounds)
    sealed.keep_spares(1)
    start(framework, "namespaces")
    spare, spare_life = starts(framework, "namespaces", rounds, settle_s=0.1)
    sealed.keep_spares(0)
    made["first line: fresh process"] = str(cold)
    made["first line: forked"] = str(warm)
    made["first line: from a spare"] = str(spare)
    made["a life with one call: fresh process"] = str(cold_life)
    made["a life with one call: forked"] = str(warm_life)
    made["a life with one call: from a spare"] = str(spare_life)
    box = open_box(framework, "namespaces")
    call(box, "one")
    made["small call"] = str(repeated(rounds * 20, lambda: call(box, "one")))
    if framework == "numpy":
        images = np.zeros((60_000, 28, 28), np.uint8)
        made["47 MB there and back"] = str(repeated(min(rounds, 20), lambda: call(box, "echo", images)))
    if framework == "torch":
        made["5 training steps"] = str(repeated(1, lambda: call(box, "steps", 0)))
    box.close()
    median, low, high = paired_ratio(framework, max(rounds // 2, 5))
    made["training inside / outside"] = f"{median:.3f} (quartiles {low:.3f} to {high:.3f})"
    private, shared = private_memory(framework)
    made["a waiting box: private, proportional"] = f"{private:.1f} MB, {shared:.1f} MB"
    return made


if __name__ == "__main__":
    main()
