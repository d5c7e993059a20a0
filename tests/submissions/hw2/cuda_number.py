from finished_torch import *

DEVICE = torch.device("cuda:3")


def fit(x, y, *, seed=0):
    return train(network().to(DEVICE), torch.tensor(x).to(DEVICE), torch.tensor(y).to(DEVICE))
