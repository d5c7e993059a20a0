"""Stops after a few epochs, long before the loss is flat."""

import keras
import numpy as np
import tensorflow as tf


def fit(x: np.ndarray, y: np.ndarray, *, seed: int = 0, device: str = "/CPU:0") -> keras.Model:
    """Train a small network on the given points."""
    keras.utils.set_random_seed(seed)
    with tf.device(device):
        model = keras.Sequential(
            [
                keras.layers.Input(shape=(2,)),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(1),
            ]
        )
        model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01), loss="mse")
        model.fit(x, y, batch_size=64, epochs=3, verbose=0)
    return model


def predict(model: keras.Model, x: np.ndarray) -> tf.Tensor:
    """Return the model's outputs, [n, 1]."""
    return model(x, training=False)
