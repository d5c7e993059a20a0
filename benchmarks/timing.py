"""What the benchmarks share: medians of side-by-side runs, and a table."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
GRADE = [sys.executable, "-m", "autograder"]


def seconds_of(run: Callable[[], object]) -> float:
    """Return how long one run takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def medians(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return each run's median seconds; the runs take turns, so that a busy moment hits all of them."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(seconds_of(run))
    return {name: statistics.median(values) for name, values in taken.items()}


def command(*arguments: str, codes: tuple[int, ...] = (0,)) -> Callable[[], str]:
    """Return a function that runs a command in the repository and gives its output."""

    def run() -> str:
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode not in codes:
            raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    return run


def table(title: str, rows: list[tuple[str, str, str]]) -> None:
    """Print rows of (what, measured, aim or ratio)."""
    made = Table("what", "measured", "beside it", title=title, title_justify="left")
    for row in rows:
        made.add_row(*row)
    Console(width=110).print(made)
