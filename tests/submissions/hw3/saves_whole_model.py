"""Pickles the model, and says so when loading."""

from finished_torch import *


def save(model, folder):
    torch.save(model, folder + "/model.pt")


def load(folder):
    return torch.load(folder + "/model.pt", weights_only=False)
