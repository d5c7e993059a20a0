"""Hidden checks of homework 3: the ten classes have other numbers than usual.

No class keeps its number, nor has the one that the public checks give it (9 − class). Whoever knows the usual labels of
the test images, or brings a trained network along, says the wrong thing about every image.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from autograder.judge import as_array

PERMUTATION = np.array([3, 7, 9, 0, 1, 8, 2, 6, 5, 4])
"""The number of each class in these checks."""
SHIFT = 2
"""Pixels."""


def accuracy(submission: Any, model: Any, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of the images that get the class they have here."""
    predicted = as_array(submission.predict(model, images), what="predict(model, images)", size=len(images))
    return float((predicted == PERMUTATION[labels]).mean())


def shifted(images: np.ndarray) -> list[np.ndarray]:
    """Return the images moved right, left, down and up; what becomes free is black."""
    padded = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    rows, columns = images.shape[1:]
    return [
        padded[:, top : top + rows, left : left + columns]
        for top, left in ((SHIFT, 0), (SHIFT, 2 * SHIFT), (0, SHIFT), (2 * SHIFT, SHIFT))
    ]


@pytest.mark.points(35, task="3.1")
def test_learns_permuted_classes(
    submission: Any, dataset: Any, metric: Callable[[str, float], None], seeds: Sequence[int]
) -> None:
    """fit learns half of the images, with other numbers for the classes"""
    train, test = dataset.train, dataset.test
    half = len(train.images) // 2
    for seed in seeds:
        model = submission.fit(train.images[:half], PERMUTATION[train.labels[:half]], seed=seed)
        metric("accuracy_permuted", accuracy(submission, model, test.images, test.labels))
        moved = [accuracy(submission, model, images, test.labels) for images in shifted(test.images)]
        metric("accuracy_shifted", float(np.mean(moved)))  # shown to staff; the handout promises no more than that
