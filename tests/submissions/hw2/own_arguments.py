from finished_torch import *


def fit(x, y, *, seed=0):
    return train(network(), torch.tensor(x), torch.tensor(y), epochs=200, verbose=True)
