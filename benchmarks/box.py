"""What a sealed box costs: its start, a call, a large array, a training inside against outside, a thousand in a row.

    python benchmarks/box.py [--rounds 50] [--boxes 1000] [numpy] [torch] [tensorflow]

As root everything is measured twice, the second time as an ordinary user. What is compared takes turns, so that a busy
moment hits all of it: a fresh process that nothing seals, a box forked from the zygote, a spare box. A start is from
the request until the student's first line has run, told by the clock that all processes share.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table
from timing import ROOT, seconds_of

from autograder.box import sealed
from autograder.box.client import BoxClient
from autograder.box.linux import cgroup
from autograder.box.protocol import Call, Path, Value
from autograder.box.spares import Spare
from autograder.box.spec import BoxSpec
from autograder.box.values import Decoder, Encoder
from autograder.limits import Limits

LIMITS = Limits(memory_mb=2048)
FRAMEWORKS = ("numpy", "torch", "tensorflow")
FRESH, FORKED, SPARE = "fresh process", "forked", "spare"
SETTLE_S = 0.1  # a spare box is forked and rehearses; between two attempts there is more than that
FRESH_EVERY = 10  # a fresh process takes a second: so many rounds to one
SMALL_CALLS = 2000
MEMORY_BOXES = 4
GROWTH_AFTER = 50  # boxes: what is kept once is there by then
RESAMPLES = 10_000
MILLISECOND = 1e-3
IMAGES_BYTES = 60_000 * 28 * 28

COMMON = b"""
import time
BEGAN = time.monotonic()
def began(): return BEGAN
def one(): return 1
def size(x): return x.nbytes
def cpu_of_work(x):
    began = time.process_time()
    work(x)
    return time.process_time() - began
"""
SOURCES = {
    "numpy": b"""
import numpy as np
def work(x):
    w = x
    for _ in range(20): w = w @ x / 500
    return float(w.sum())
def steps():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(32, 4)), np.zeros((4, 1))
    for _ in range(5): w = w - 0.1 * x.T @ (x @ w - 1) / 32
    return float(w.sum())
""",
    "torch": b"""
import torch
def train(x, width, steps):
    model = torch.nn.Sequential(torch.nn.Linear(x.shape[1], width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
    return loss.item()
def work(x): return train(torch.from_numpy(x).float(), 64, 100)
def steps(): return train(torch.ones(8, 4), 4, 5)
""",
    "tensorflow": b"""
import tensorflow as tf
def train(x, width, steps):
    model = tf.keras.Sequential([tf.keras.layers.Dense(width, activation="relu"), tf.keras.layers.Dense(1)])
    optimizer = tf.keras.optimizers.Adam()
    for _ in range(steps):
        with tf.GradientTape() as tape: loss = tf.reduce_mean(model(x) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return float(loss)
def work(x): return train(tf.constant(x, tf.float32), 64, 20)
def steps(): return train(tf.ones((8, 4)), 4, 5)
""",
}


class Seconds(NamedTuple):
    """What repeating something took."""

    values: list[float]

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        ordered = sorted(self.values)
        quarter, ninety = (ordered[int(part * (len(ordered) - 1))] for part in (0.25, 0.9))
        factor, unit = (1e6, "µs") if self.median < MILLISECOND else (1e3, "ms")
        return f"{factor * self.median:.1f} ({factor * quarter:.1f} – {factor * ninety:.1f}) {unit}"


class Row(NamedTuple):
    """A line of a table: what was measured in each way, and what it should be at most."""

    what: str
    fresh: str
    forked: str
    spare: str = ""
    ratio: str = ""
    aim: str = ""


# --- boxes ------------------------------------------------------------------------------------------------------------


def spec_of(framework: str, way: str) -> BoxSpec:
    """Return what a box for a framework is given."""
    frameworks = () if framework == "numpy" else (framework,)
    isolation = "process" if way == FRESH else "namespaces"
    return BoxSpec(
        {"answer.py": COMMON + SOURCES[framework]}, "answer.py", frameworks, "cpu", LIMITS, isolation=isolation
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


class Life(NamedTuple):
    """One box that is asked for one thing: seconds until the student's first line, and until it is gone."""

    first_line: float
    all_in: float


def live(framework: str, way: str, function: str) -> Life:
    """Start a box in one of the ways, call a function, take what was printed, end it: what an attempt does with it."""
    spec = spec_of(framework, way)
    spare = None
    if way == SPARE:
        kind = sealed.kind_of(spec)
        spare = Spare(kind, sealed.fork(kind))
        time.sleep(SETTLE_S)
    asked = time.monotonic()
    box = BoxClient(spec, spare and spare.give(spec))
    began = call(box, "began")
    call(box, function)
    box.take_output()
    box.close()
    return Life(float(began) - asked, time.monotonic() - asked)  # type: ignore[arg-type]


# --- what is measured -------------------------------------------------------------------------------------------------


def lives(framework: str, function: str, rounds: int) -> dict[str, list[Life]]:
    """Return lives of boxes in each of the ways, which take turns."""
    made: dict[str, list[Life]] = {FRESH: [], FORKED: [], SPARE: []}
    for way in made:
        live(framework, way, function)  # the zygote starts; files come into memory
    for number in range(rounds):
        for way, known in made.items():
            if way != FRESH or number % FRESH_EVERY == 0:
                known.append(live(framework, way, function))
    return made


def start_rows(framework: str, rounds: int) -> list[Row]:
    """Return what starts and whole lives take."""
    small, steps = lives(framework, "one", rounds), lives(framework, "steps", rounds)
    aims = {"numpy": ("", ""), "torch": ("20 ms, 2 ms", "150 ms"), "tensorflow": ("25 ms, 2 ms", "")}[framework]
    return [
        _row("first line of the student's", small, lambda life: life.first_line, aims[0]),
        _row("a box's whole life, one small call", small, lambda life: life.all_in, "100 ms with judge"),
        _row("the same with five training steps", steps, lambda life: life.all_in, aims[1]),
    ]


def _row(what: str, measured: dict[str, list[Life]], of: Callable[[Life], float], aim: str) -> Row:
    seconds = {way: Seconds([of(life) for life in known]) for way, known in measured.items()}
    ratios = " ".join(f"{seconds[FRESH].median / seconds[way].median:.1f} ×" for way in (FORKED, SPARE))
    return Row(what, *(str(seconds[way]) for way in (FRESH, FORKED, SPARE)), ratio=ratios, aim=aim)


def call_rows(framework: str, rounds: int) -> list[Row]:
    """Return what a small call and a large array take, unsealed and sealed."""
    boxes = {way: BoxClient(spec_of(framework, way)) for way in (FRESH, FORKED)}
    images, noise = np.zeros(IMAGES_BYTES, np.uint8), np.random.default_rng(0).normal(size=(4, 4))
    rows = []
    for what, run, times, aim in (
        ("a small call", lambda box: call(box, "one"), SMALL_CALLS, "60 µs"),
        ("a call with a 4 × 4 array", lambda box: call(box, "size", noise), SMALL_CALLS, ""),
        ("47 MB array into the box", lambda box: call(box, "size", images), rounds, "15 ms"),
    ):
        taken: dict[str, list[float]] = {way: [] for way in boxes}
        # In blocks: a process that was asked a moment ago is still awake, as it is for whoever calls often.
        for _ in range(10):
            for way, box in boxes.items():
                run(box)
                taken[way] += [seconds_of(partial(run, box)) for _ in range(max(times // 10, 1))]
        seconds = {way: Seconds(values) for way, values in taken.items()}
        ratio = f"{seconds[FRESH].median / seconds[FORKED].median:.1f} ×"
        rows.append(Row(what, str(seconds[FRESH]), str(seconds[FORKED]), ratio=ratio, aim=aim))
    for box in boxes.values():
        box.close()
    return rows


def training_row(framework: str, rounds: int) -> Row:
    """Return how much more CPU time a training takes sealed than not: the median of pairs, and where it may lie."""
    x = np.random.default_rng(0).normal(size=(500, 500))
    boxes = [BoxClient(spec_of(framework, way)) for way in (FORKED, FRESH)]
    for box in boxes:
        call(box, "work", x)  # lazy imports, and what is chosen when it is first used
    ratios = []
    for number in range(rounds):
        taken = {id(box): float(call(box, "cpu_of_work", x)) for box in boxes[:: 1 if number % 2 else -1]}  # type: ignore[arg-type]
        ratios.append(taken[id(boxes[0])] / taken[id(boxes[1])])
    for box in boxes:
        box.close()
    low, high = interval_of_median(ratios)
    return Row(
        "training, CPU time: sealed / not", "1", f"{statistics.median(ratios):.3f} (95 %: {low:.3f} – {high:.3f})",
        aim="1.05",
    )  # fmt: skip


def interval_of_median(values: Iterable[float]) -> tuple[float, float]:
    """Return the interval of the median with 95 % confidence, by resampling."""
    drawn = np.random.default_rng(0).choice(np.array(list(values)), size=(RESAMPLES, len(list(values))))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return float(low), float(high)


def memory_row(framework: str) -> Row:
    """Return the memory of boxes that wait, of several at a time: proportional (PSS) and private (USS)."""
    boxes = {way: [BoxClient(spec_of(framework, way)) for _ in range(MEMORY_BOXES)] for way in (FRESH, FORKED)}
    told = {}
    for way, opened in boxes.items():
        used = []
        for box in opened:
            call(box, "one")
        for box in opened:
            running = box._running.process  # noqa: SLF001
            members = running.members() if way == FORKED else [psutil.Process(running.pid)]  # type: ignore[attr-defined]
            used.append([memory for member in members if (memory := memory_of(member))])
        pss, uss = (
            statistics.median(sum(getattr(one, kind) for one in each) for each in used) / 1e6 for kind in ("pss", "uss")
        )
        told[way] = f"{pss:.1f} MB, {uss:.1f} MB"
        for box in opened:
            box.close()
    return Row(f"memory of a waiting box of {MEMORY_BOXES}: PSS, USS", told[FRESH], told[FORKED])


def memory_of(process: psutil.Process) -> Any:
    """Return what a process takes; None where this user may not know, as of a box's init."""
    with contextlib.suppress(psutil.AccessDenied):
        return process.memory_full_info()
    return None


class Holdings(NamedTuple):
    """What this process has, and what of it is left on the machine."""

    memory_mb: float
    descriptors: int
    threads: int
    processes: int
    mounts: int
    cgroups: int


def holdings() -> Holdings:
    """Count them."""
    gc.collect()
    own = psutil.Process()
    try:
        folders = [place.folder for place in cgroup.places()]
    except OSError:  # none can be made, as an ordinary user
        folders = []
    return Holdings(
        round(own.memory_full_info().uss / 1e6, 1), own.num_fds(), own.num_threads(),
        len(own.children(recursive=True)), len(FilePath("/proc/self/mountinfo").read_text().splitlines()),
        sum(len(list(folder.glob(f"grade-box-{os.getpid()}-*"))) for folder in folders),
    )  # fmt: skip


def growth(boxes: int) -> Table:
    """Return what is there after some boxes, and after a thousand more in a row."""
    counted = []
    for number in (GROWTH_AFTER, boxes):
        for _ in range(number):
            live("numpy", FORKED, "one")
        time.sleep(SETTLE_S)
        counted.append(holdings())
    table = Table("what", f"after {GROWTH_AFTER} boxes", f"after {boxes} more", "growth", title="boxes in a row")
    for name, before, after in zip(Holdings._fields, *counted, strict=True):
        table.add_row(name, str(before), str(after), f"{after - before:+g}")
    return table


# --- tables -----------------------------------------------------------------------------------------------------------


def table_of(framework: str, rounds: int) -> Table:
    """Return everything that is measured for a framework."""
    title = f"{framework}, medians of {rounds} (lower quartile – 90th percentile)"
    table = Table("what", FRESH, FORKED, SPARE, "faster", "aim", title=title, title_justify="left")
    rows = [*start_rows(framework, rounds)]
    if framework == "numpy":
        rows += call_rows(framework, rounds)
    for row in (*rows, training_row(framework, rounds), memory_row(framework)):
        table.add_row(row.what, row.fresh, row.forked, row.spare, row.ratio, row.aim)
    return table


def main() -> None:
    """Measure and print; as root, once more as an ordinary user."""
    parser = argparse.ArgumentParser()
    parser.add_argument("frameworks", nargs="*", default=FRAMEWORKS)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--boxes", type=int, default=1000, help="in a row, for what grows")
    asked = parser.parse_args()
    console = Console(width=170)
    is_root = os.getuid() == 0
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    console.rule(f"sealed boxes, as {'root' if is_root else 'an ordinary user'}; load {load}")
    for framework in asked.frameworks:
        console.print(table_of(framework, asked.rounds))
    if asked.boxes:
        console.print(growth(asked.boxes))
    if is_root:
        become = ROOT / "tests" / "box" / "ordinary_user.py"
        subprocess.run([sys.executable, become, sys.executable, *sys.orig_argv[1:]], check=True)


if __name__ == "__main__":
    main()
