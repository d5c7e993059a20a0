"""Says the most frequent label of the training for every image."""

from pathlib import Path

import numpy as np


def fit(images: np.ndarray, labels: np.ndarray, *, seed: int = 0, device: str = "cpu") -> int:
    """Return the most frequent label."""
    return int(np.bincount(labels).argmax())


def predict(model: int, images: np.ndarray) -> np.ndarray:
    """Return that label for each image, [n]."""
    return np.full(len(images), model)


def save(model: int, folder: str) -> None:
    """Write the label."""
    (Path(folder) / "label.txt").write_text(str(model), encoding="utf-8")


def load(folder: str) -> int:
    """Read the label."""
    return int((Path(folder) / "label.txt").read_text(encoding="utf-8"))
