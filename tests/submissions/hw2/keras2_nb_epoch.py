import keras
from keras import layers
from keras.optimizers import *


def fit(x, y, seed=0):
    model = keras.Sequential()
    model.add(layers.Dense(32, activation="relu"))
    model.add(layers.Dense(1))
    model.compile("adam", "mse")
    model.fit(x, y, nb_epoch=10, batch_size=50)
    return model


def predict(model, x):
    return model.predict(x)
