from finished_torch import *

MODEL = None


def fit(x, y, *, seed=0):
    global MODEL
    if MODEL is None:
        torch.manual_seed(seed)
        MODEL = train(network(), torch.tensor(x), torch.tensor(y))
    return MODEL
