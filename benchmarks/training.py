"""Homework 2's ten trainings by themselves: what a submission costs with no grader at all.

    python benchmarks/training.py [--submissions 4]

As many processes at a time as there are cores, for trainings that run beside each other are slower; the import of the
framework, and what it imports when it first trains, come before the clock starts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from timing import ROOT, table

from autograder.limits import Limits

HW2_TORCH = ROOT / "solutions" / "hw2_mlp" / "mlp_torch.py"

# The sizes of what the checks train on: public ones, then hidden ones.
ALONE = """
import importlib.util, sys, time
import numpy as np
spec = importlib.util.spec_from_file_location("mlp", sys.argv[1])
mlp = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mlp)
rng = np.random.default_rng(0)
def train(n):
    x = rng.uniform(-2, 2, size=(n, 2)).astype(np.float32)
    mlp.predict(mlp.fit(x, (x**2).sum(1, keepdims=True), seed=0), x)
train(64)
print("ready", flush=True)
sys.stdin.readline()
began = time.perf_counter()
for n in (500, 1000, 1000, 1000, 500, 64, 800, 800, 800, 800):
    train(n)
print(time.perf_counter() - began)
"""


def environment() -> dict[str, str]:
    """Return this process's environment, with as many threads for a training as a box has."""
    return {**os.environ, "OMP_NUM_THREADS": str(Limits().threads), "OMP_WAIT_POLICY": "PASSIVE"}


def trainings_alone(file: Path, at_once: int, variables: Mapping[str, str]) -> list[float]:
    """Return the seconds of all trainings in each of so many processes, which begin together.

    Args:
        file: the submission.
        at_once: how many processes.
        variables: their environment.
    """
    command = [sys.executable, "-c", ALONE, str(file)]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, env=dict(variables), stdin=pipe, stdout=pipe, text=True) for _ in range(at_once)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in processes]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--submissions", type=int, default=4)
    asked = parser.parse_args()
    at_once = os.cpu_count() or 1
    taken: list[float] = []
    while len(taken) < asked.submissions:
        taken += trainings_alone(HW2_TORCH, at_once, environment())
    told = f"{statistics.median(taken):.2f} s ({min(taken):.2f} – {max(taken):.2f})"
    table(f"hw2 without a grader, {at_once} at a time", [("ten trainings", told, f"median of {len(taken)}")])


if __name__ == "__main__":
    main()
