"""What `grade calibrate` shows: the times of the reference solutions, and each metric beside its thresholds."""

from __future__ import annotations

from statistics import median

from rich.console import Console
from rich.table import Table

from autograder.messages import text
from autograder.report.terminal import stdout_console
from autograder.results import Calibration

_WIDEST = 140  # columns


def print_calibration(calibration: Calibration, console: Console | None = None) -> None:
    """Print what was measured."""
    made = console or stdout_console(_WIDEST)
    data = text("report.full_data") if calibration.data == "full" else ""
    seeds = text("calibrate.seeds", seeds=", ".join(map(str, calibration.seeds)))
    made.print(" · ".join(part for part in (calibration.assignment, data, seeds) if part), style="bold", markup=False)
    made.print()
    made.print(_times(calibration))
    if any(solution.metrics for solution in calibration.solutions):
        made.print()
        made.print(_metrics(calibration))
    made.print()
    made.print(text("calibrate.benchmark", milliseconds=f"{calibration.benchmark_s * 1000:.1f}"), style="dim")


def _times(calibration: Calibration) -> Table:
    table = _table("solution", "device", "trainings", "longest", "attempt", "memory")
    for solution in calibration.solutions:
        table.add_row(
            f"{solution.framework} {solution.version}",
            solution.device,
            str(len(solution.trainings_s)),
            _seconds(max(solution.trainings_s)) if solution.trainings_s else "–",
            _seconds(solution.attempt_s),
            f"{solution.needs.memory_mb} MB",
        )
    return table


def _metrics(calibration: Calibration) -> Table:
    """One row for each metric and solution: how far luck goes, beside what decides the points."""
    table = _table("metric", "solution", "least", "median", "most", "full", "zero")
    for name in dict.fromkeys(name for solution in calibration.solutions for name in solution.metrics):
        for solution in calibration.solutions:
            if metric := solution.metrics.get(name):
                values = metric.values
                measured = (min(values), median(values), max(values))
                anchors = (metric.full, metric.zero)
                table.add_row(
                    name, solution.framework, *(f"{value:.4g}" for value in measured),
                    *("–" if value is None else f"{value:g}" for value in anchors),
                )  # fmt: skip
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        left = column in {"solution", "device", "metric"}
        table.add_column(text(f"calibrate.column.{column}"), justify="left" if left else "right", no_wrap=True)
    return table


def _seconds(seconds: float) -> str:
    return text("report.duration", seconds=f"{seconds:.1f}")
