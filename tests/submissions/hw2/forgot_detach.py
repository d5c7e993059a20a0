from finished_torch import *


def predict(model, x):
    return model(torch.tensor(x)).numpy()
