from finished_torch import *


def fit(x, y, *, seed=0):
    return train(network().cuda(), torch.tensor(x).cuda(), torch.tensor(y).cuda())
