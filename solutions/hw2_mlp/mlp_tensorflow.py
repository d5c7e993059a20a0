"""Homework 2: an MLP that fits a surface (TensorFlow/Keras)."""

import keras
import numpy as np
import tensorflow as tf


def fit(x: np.ndarray, y: np.ndarray, *, seed: int = 0, device: str = "/CPU:0") -> keras.Model:
    """Train a multilayer perceptron on the given points.

    Args:
        x: inputs, float32 array [n, 2]; n is between 64 and 1000, entries lie in [-2, 2].
        y: labels, float32 array [n, 1]; they may be negative and carry a little noise.
        seed: what every random number of the training follows from.
        device: where to train: "/CPU:0" or "/GPU:0".

    Returns:
        The trained model, in whatever form ``predict`` below can use.
    """
    # BEGIN SOLUTION (Task 2.1: fit)
    keras.utils.set_random_seed(seed)
    with tf.device(device):
        model = keras.Sequential(
            [
                keras.layers.Input(shape=(2,)),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(1),  # no activation here: labels may be negative
            ]
        )
        model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.005), loss="mse")
        model.fit(x, y, batch_size=64, epochs=40, verbose=0)
    return model
    # END SOLUTION


def predict(model: keras.Model, x: np.ndarray) -> tf.Tensor:
    """Return what the model says for each row of ``x``.

    Args:
        model: what ``fit`` returned.
        x: inputs, float32 array [n, 2]; n may be 1.

    Returns:
        Predictions, [n, 1] or [n]: a tensor, a NumPy array or a list.
    """
    # BEGIN SOLUTION (Task 2.2: predict)
    return model(x, training=False)
    # END SOLUTION
