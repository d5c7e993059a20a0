"""What fit returns has names."""

from typing import NamedTuple

import torch

from finished_torch import network, train


class Fitted(NamedTuple):
    network: torch.nn.Module
    losses: list


def fit(x, y, *, seed=0):
    torch.manual_seed(seed)
    return Fitted(train(network(), torch.tensor(x), torch.tensor(y)), [])


def predict(model, x):
    with torch.no_grad():
        return model.network(torch.tensor(x))
