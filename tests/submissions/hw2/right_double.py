"""float64 all through, neither seed nor device, a tensor with its gradient as the answer."""

import torch

from finished_torch import network, train


def fit(x, y):
    return train(network().double(), torch.from_numpy(x).double(), torch.from_numpy(y).double())


def predict(model, x):
    return model(torch.from_numpy(x).double())
