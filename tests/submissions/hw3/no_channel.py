"""A convolution wants [n, 1, 28, 28]."""

from finished_torch import *


def network():
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 26 * 26, 10))


def fit(images, labels, *, seed=0):
    return train(network(), torch.tensor(images) / 255, torch.tensor(labels))
