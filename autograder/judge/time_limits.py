"""How long a training and an attempt may take: so many times what the reference solution takes on this machine.

DESIGN §6. The reference is what `grade calibrate` has measured here, else the times in assignment.yml, stretched by how
much slower this machine runs a small benchmark than the one they were measured on. A slow laptop is no worse student.
"""

from __future__ import annotations

import math
import platform
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from autograder import history
from autograder.assignment import Reference
from autograder.course import LoadedAssignment
from autograder.limits import Limits, Needs

_FOLDER = Path(history.FOLDER, "calibration")  # below the course's; a file a machine, for the folder may be shared
_MAX_NAME = 100  # characters of a machine's
_BEST_OF = 10
# Together 1 ms on a machine of 2024. Small products: numpy computes larger ones with several threads, which wait for
# each other where the machine is busy, and the same work then takes many times as long.
_MATRIX, _PRODUCTS, _ADDITIONS = 64, 60, 25_000
_MOST_SLOWNESS = 20.0  # beyond it something else is wrong; the ceilings of the limits hold anyway


class ReferenceTimes(BaseModel):
    """What the reference solution takes: its longest training (0: none), and an attempt with all checks and seeds."""

    model_config = ConfigDict(frozen=True)

    training_s: float
    attempt_s: float
    needs: Needs | None = None  # None: not measured

    def times(self, factor: float) -> ReferenceTimes:
        """Return the times on a machine so many times as slow, or with so many times the data."""
        return self.model_copy(update={"training_s": self.training_s * factor, "attempt_s": self.attempt_s * factor})


class Measured(BaseModel):
    """What the reference solutions took on a machine, by assignment and framework."""

    model_config = ConfigDict(frozen=True)

    machine: str = ""
    times: dict[str, dict[Reference, ReferenceTimes]] = {}


def calibration_file(course: Path) -> Path:
    """Return the file of what was measured for a course on this machine."""
    name = re.sub(r"[^\w.-]", "_", platform.node())[:_MAX_NAME] or "machine"
    return course / _FOLDER / f"{name}.json"


def measured_here(course: Path) -> Measured:
    """Return what has been measured for a course on this machine; nothing where the file is another machine's."""
    empty = Measured(machine=platform.node())
    try:
        found = Measured.model_validate_json(calibration_file(course).read_bytes())
    except (OSError, ValidationError):
        return empty
    return found if found.machine == empty.machine else empty


def benchmark_s() -> float:
    """Return the seconds that a small fixed piece of work takes here: matrix products, and a loop in Python."""
    matrix = np.full((_MATRIX, _MATRIX), 0.5, dtype=np.float32)
    fastest = float("inf")
    for _ in range(_BEST_OF):  # the best: a busy machine is not a slow one
        began = time.perf_counter()
        product: np.ndarray[Any, Any] = matrix
        for _ in range(_PRODUCTS):
            product = matrix @ product / _MATRIX
        total = 0
        for number in range(_ADDITIONS):
            total += number
        fastest = min(fastest, time.perf_counter() - began)
    return fastest


def reference_key(framework: str | None) -> Reference:
    """Return under which name a solution's times are kept."""
    return "torch" if framework == "torch" else "tensorflow" if framework == "tensorflow" else "python"


def reference_times(
    assignment: LoadedAssignment, framework: str | None, data_ratio: float, now_s: float | None = None
) -> ReferenceTimes | None:
    """Return what the reference solution takes on this machine; None where nobody has measured it.

    Args:
        assignment: whose.
        framework: that the student's code uses.
        data_ratio: how many times as much is trained on as when the stored times were measured (`--data full`).
        now_s: what the benchmark takes on this machine, where that is known.
    """
    key = reference_key(framework)
    measured = measured_here(assignment.root).times.get(assignment.id, {}).get(key)
    if measured is not None:
        return measured.times(data_ratio)
    spec = assignment.spec
    known = spec.reference_s or spec.reference_attempt_s  # without trainings there is an attempt's time only
    if not known:
        return None
    if key not in known:
        # A framework that comes by way of another package (d2l): the time that is enough for every solution.
        key = max(known, key=known.__getitem__)
    training_s, then_s = spec.reference_s.get(key, 0.0), spec.benchmark_s.get(key)
    slowness = min(max((now_s or benchmark_s()) / then_s, 1.0), _MOST_SLOWNESS) if then_s else 1.0
    attempt_s = spec.reference_attempt_s.get(key, training_s)
    stored = ReferenceTimes(training_s=training_s, attempt_s=attempt_s, needs=spec.reference_needs.get(key))
    return stored.times(slowness * data_ratio)


def limits_for(limits: Limits, reference: ReferenceTimes | None) -> Limits:
    """Return the limits with the times that follow from the reference's, within their floors and ceilings."""
    if reference is None:
        return limits
    return limits.model_copy(
        update={
            "training_s": _between(
                limits.training_s, limits.time_factor * reference.training_s, limits.training_most_s
            ),
            "attempt_s": _between(limits.attempt_s, limits.time_factor * reference.attempt_s, limits.attempt_most_s),
        }
    )


def _between(least: float, wanted: float, most: float) -> float:
    return max(least, min(float(math.ceil(wanted)), most))
