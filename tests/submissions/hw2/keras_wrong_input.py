"""One input unit for two numbers a row."""

import tensorflow as tf


def fit(x, y, *, seed=0, device="/CPU:0"):
    model = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(8, "relu"), tf.keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, y, epochs=1, verbose=0)
    return model


def predict(model, x):
    return model.predict(x, verbose=0)
