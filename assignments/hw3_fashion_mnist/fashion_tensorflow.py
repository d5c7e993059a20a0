"""Homework 3: which piece of clothing is it? Fashion-MNIST (TensorFlow/Keras)."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


def to_dataset(
    images: np.ndarray, labels: np.ndarray, *, batch_size: int = 64, shuffle: bool = False
) -> tf.data.Dataset:
    """Return batches of (images float32 [b, 28, 28], labels int64 [b]); the last one may be smaller.

    This is how NumPy arrays become what ``model.fit`` goes through. It is finished, but use it with open eyes: pixels
    keep the values they have in ``images``, and unless you ask for ``shuffle`` the order is that of the arrays.
    ``model.fit(dataset, shuffle=True)`` changes nothing about that: Keras shuffles arrays, not datasets.

        for x, y in to_dataset(images, labels, batch_size=32):
            print(x.shape, x.dtype, y.shape, y.dtype)  # (32, 28, 28) float32, (32,) int64

    Args:
        images: array [n, 28, 28] of any number type.
        labels: int64 array [n].
        batch_size: images in a batch, b.
        shuffle: draw a new order in each epoch.
    """
    dataset = tf.data.Dataset.from_tensor_slices((images.astype("float32"), labels))
    if shuffle:
        dataset = dataset.shuffle(len(images))  # a smaller buffer would mix neighbours only
    return dataset.batch(batch_size)


# BEGIN SOLUTION (Task 3.1: what fit and predict share)
# Task 3.1: what fit and predict share: your code goes here
# END SOLUTION


def fit(images: np.ndarray, labels: np.ndarray, *, seed: int = 0, device: str = "/CPU:0") -> keras.Model:
    """Train a classifier on the given images.

    Args:
        images: pixels, uint8 array [n, 28, 28], 0 to 255; n is between 200 and 60,000.
        labels: classes, int64 array [n], 0 to 9; in whatever order, and with whatever meaning, they come.
        seed: what every random number of the training follows from.
        device: where to train: "/CPU:0" or "/GPU:0".

    Returns:
        The trained model, in whatever form ``predict`` and ``save`` below can use.
    """
    # BEGIN SOLUTION (Task 3.1: fit)
    raise NotImplementedError("Task 3.1: fit")
    # END SOLUTION


def predict(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the class that the model sees in each image.

    Args:
        model: what ``fit`` or ``load`` returned.
        images: pixels, uint8 array [n, 28, 28], 0 to 255; n may be 1.

    Returns:
        Classes, integers [n], 0 to 9: a tensor, a NumPy array or a list.
    """
    # BEGIN SOLUTION (Task 3.2: predict)
    raise NotImplementedError("Task 3.2: predict")
    # END SOLUTION


def save(model: keras.Model, folder: str) -> None:
    """Write the model into a folder, so that ``load`` can bring it back in another process.

    Args:
        model: what ``fit`` returned.
        folder: an empty folder that exists; write any files there, and nowhere else.
    """
    # BEGIN SOLUTION (Task 3.3: save)
    raise NotImplementedError("Task 3.3: save")
    # END SOLUTION


def load(folder: str) -> keras.Model:
    """Return the model that ``save`` has written: it predicts what the saved one did.

    Args:
        folder: holds the files that ``save`` wrote. It may have been moved, and this process has not called ``fit``.
    """
    # BEGIN SOLUTION (Task 3.3: load)
    raise NotImplementedError("Task 3.3: load")
    # END SOLUTION
