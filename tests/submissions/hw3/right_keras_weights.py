"""Arrays straight into fit, one-hot labels made by the student, and only the weights are saved."""

import keras
from keras import layers


def network():
    model = keras.Sequential(
        [keras.Input((28, 28)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.002), "categorical_crossentropy")
    return model


def fit(images, labels, *, seed=0, device=None):
    keras.utils.set_random_seed(seed)
    model = network()
    model.fit(images, keras.utils.to_categorical(labels, 10), batch_size=64, epochs=4, verbose=2)
    return model


def predict(model, images):
    return model.predict(images, verbose=0).argmax(-1)


def save(model, folder):
    model.save_weights(f"{folder}/fashion.weights.h5")


def load(folder):
    model = network()
    model.load_weights(f"{folder}/fashion.weights.h5")
    return model
