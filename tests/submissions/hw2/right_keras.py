"""Keras as most write it: model.fit and model.predict with their progress bars."""

import keras
from keras import layers


def fit(x, y, seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([layers.Dense(48, activation="relu"), layers.Dense(48, activation="relu"), layers.Dense(1)])
    model.compile("adam", "mse")
    model.optimizer.learning_rate = 0.02
    model.fit(x, y, epochs=10, batch_size=50)
    return model


def predict(model, x):
    return model.predict(x)
