from finished_torch import *


def network():
    return nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))


def fit(x, y, *, seed=0):
    print("x has shape", x.shape)
    return train(network(), torch.tensor(x), torch.tensor(y))
