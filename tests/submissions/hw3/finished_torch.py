# Homework 3, finished, with a short training. Most hand-ins beside this file import it and change one thing.

import os

import torch
from torch import nn


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def train(model, x, y, epochs=5):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model


def fit(images, labels, *, seed=0):
    torch.manual_seed(seed)
    return train(network(), torch.tensor(images) / 255, torch.tensor(labels))


def predict(model, images):
    with torch.no_grad():
        return model(torch.tensor(images) / 255).argmax(1)


def save(model, folder):
    torch.save(model.state_dict(), os.path.join(folder, "weights.pt"))


def load(folder):
    model = network()
    model.load_state_dict(torch.load(os.path.join(folder, "weights.pt")))
    return model
