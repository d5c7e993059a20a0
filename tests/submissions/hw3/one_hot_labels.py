"""Takes the labels for one-hot rows."""

from finished_torch import *


def fit(images, labels, *, seed=0):
    return train(network(), torch.tensor(images) / 255, torch.tensor(labels.argmax(axis=1)))
