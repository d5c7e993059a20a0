from keras.utils import np_utils
import keras
from keras import layers
from keras.optimizers import *


def fit(x, y, seed=0):
    model = keras.Sequential()

    return model


def predict(model, x):
    return model.predict(x)
