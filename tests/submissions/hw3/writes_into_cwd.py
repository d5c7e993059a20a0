"""Saves beside itself, wherever that is."""

from finished_torch import *


def save(model, folder):
    torch.save(model.state_dict(), "model.pth")
    print("Saved PyTorch Model State to model.pth")


def load(folder):
    model = network()
    model.load_state_dict(torch.load("model.pth", weights_only=True))
    return model
