"""Pickles the model, and loads it as was usual before PyTorch 2.6."""

from finished_torch import *


def save(model, folder):
    torch.save(model, folder + "/model.pt")


def load(folder):
    return torch.load(folder + "/model.pt")
