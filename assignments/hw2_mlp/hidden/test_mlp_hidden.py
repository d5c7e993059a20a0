"""Hidden checks of homework 2: surfaces a·x1² + b·x2² + c·x1·x2 + d that students have not seen.

Each training here has a box of its own, so there are only four. The coefficients are such that ±x1² ± x2², any plane
and any constant are as bad as the mean or nearly so (nmse 0.6 to 8): a formula or stored weights earn nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from autograder.judge import as_array


class Surface(NamedTuple):
    """Coefficients of a·x1² + b·x2² + c·x1·x2 + d, each within ±1.5."""

    a: float
    b: float
    c: float
    d: float

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return the surface at each row of ``x`` [n, 2]: float64 [n]."""
        x1, x2 = x.astype(np.float64).T
        return self.a * x1**2 + self.b * x2**2 + self.c * x1 * x2 + self.d


SADDLE = Surface(a=-0.5, b=0.9, c=-1.4, d=-0.6)
"""Both signs, and mostly a cross term, which ±x1² ± x2² has nothing of."""
DOME = Surface(a=-1.4, b=-0.4, c=1.2, d=-0.5)
"""Nowhere above -0.5: a ReLU on the output can say nothing but 0."""


def sample(n: int, seed: int) -> np.ndarray:
    """Return ``n`` points of the square [-2, 2]², float32 [n, 2]."""
    return np.random.default_rng(seed).uniform(-2, 2, size=(n, 2)).astype(np.float32)


def labels(surface: Surface, x: np.ndarray, seed: int) -> np.ndarray:
    """Return training labels for ``x``: float32 [n, 1], with the noise that the handout names."""
    noise = np.random.default_rng(seed).normal(0, 0.1, size=len(x))
    return (surface.at(x) + noise).astype(np.float32)[:, None]


TRAIN_X = sample(800, seed=31)
UNSEEN_X = sample(1000, seed=32)


def held_out_nmse(submission: Any, surface: Surface, seed: int) -> float:
    """Train on a surface and return mse / var(y) on points without noise that the training has not seen."""
    model = submission.fit(TRAIN_X, labels(surface, TRAIN_X, seed=33), seed=seed)
    predicted = as_array(submission.predict(model, UNSEEN_X), what="predict(model, x)", size=len(UNSEEN_X))
    true = surface.at(UNSEEN_X)
    with np.errstate(all="ignore"):  # huge or infinite predictions are the student's result, not our warning
        return float(((predicted - true) ** 2).mean() / true.var())


@pytest.mark.points(30, task="2.1")
def test_fits_a_surface_it_has_not_seen(
    submission: Any, metric: Callable[[str, float], None], seeds: Sequence[int]
) -> None:
    """fit learns a surface with other coefficients"""
    for seed in seeds:
        metric("nmse_other_surface", held_out_nmse(submission, SADDLE, seed))


@pytest.mark.points(15, task="2.1")
def test_fits_negative_labels(submission: Any, metric: Callable[[str, float], None], seeds: Sequence[int]) -> None:
    """fit learns a surface whose values are negative"""
    metric("nmse_negative_labels", held_out_nmse(submission, DOME, seeds[0]))
