"""Scoring: pure functions from results and thresholds to points. No input, no output, no rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

from autograder.results import MetricResult, Status, Thresholds


class Ended(Protocol):
    """A check, as far as an attempt's status hangs on it."""

    @property
    def status(self) -> Status:
        """How it ended."""
        ...

    @property
    def score(self) -> float:
        """What it earned."""
        ...


def median_of_seeds(values: Sequence[float], better: str) -> float:
    """Return the median; what is not finite counts as the worst; of an even number, the worse of the two in the middle.

    Args:
        values: one value a seed, at least one.
        better: "lower" or "higher".

    Returns:
        One of the values, as it was measured.
    """

    def badness(value: float) -> float:
        # -inf is no perfect loss: a training that overflowed is as bad as one that gave NaN.
        if not math.isfinite(value):
            return math.inf
        return value if better == "lower" else -value

    return sorted(values, key=badness)[len(values) // 2]


def credit(value: float, thresholds: Thresholds) -> float:
    """Return the share of the points that `value` earns, in [0, 1]. NaN and inf earn nothing.

    Credit is clamp((g(value) - g(zero)) / (g(full) - g(zero))) with g identity or log (DESIGN §6).
    """
    # A comparison with NaN is always false, so a chain of `if value > full` would let NaN through somewhere;
    # -inf would be a perfect "lower is better" value.
    if not math.isfinite(value):
        return 0.0
    low, high, at = thresholds.zero, thresholds.full, value
    if thresholds.scale == "log":
        if value <= 0:  # beyond every positive threshold: perfect where lower is better, nothing where higher is
            return 1.0 if thresholds.better == "lower" else 0.0
        low, high, at = math.log(low), math.log(high), math.log(value)
    return min(1.0, max(0.0, (at - low) / (high - low)))


def score_metric(values: Sequence[float], thresholds: Thresholds, max_points: float) -> MetricResult:
    """Return the metric's median over seeds with the points it earns."""
    value = median_of_seeds(values, thresholds.better)
    return MetricResult.model_validate(
        {
            "value": value,
            "values": tuple(values),
            **thresholds._asdict(),
            "score": max_points * credit(value, thresholds),
            "max_points": max_points,
        }
    )


def graded_status(score: float, max_points: float) -> Status:
    """Return the status of a check that ran to its end and earned `score` of `max_points`."""
    if score >= max_points:
        return Status.PASSED
    return Status.PARTIAL if score > 0 else Status.FAILED


def attempt_status(checks: Iterable[Ended]) -> Status:
    """Return an attempt's status (DESIGN §5): internal outranks all; the one all failing checks share, else partial."""
    results = list(checks)
    statuses = {check.status for check in results}
    if Status.INTERNAL in statuses or not results:
        return Status.INTERNAL
    if statuses == {Status.PASSED}:
        return Status.PASSED
    # A skipped check only repeats that another failed: it must not hide what that other one had.
    failing = statuses - {Status.SKIPPED, Status.PASSED}
    if len(failing) == 1:
        return failing.pop()
    return Status.PARTIAL if any(check.score > 0 for check in results) else Status.FAILED
