from finished_torch import *


def predict(model, x):
    with torch.no_grad():
        return model(torch.tensor(x)).T
