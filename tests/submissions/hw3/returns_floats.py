import finished_torch
from finished_torch import fit, load, save


def predict(model, images):
    return finished_torch.predict(model, images).float()
