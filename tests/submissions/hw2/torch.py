# Homework 2, finished, with a short training. Most hand-ins beside this file import it and change one thing.

import torch
from torch import nn


def network():
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))


def train(model, x, y, steps=250):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
    return model


def fit(x, y, *, seed=0, device="cpu"):
    torch.manual_seed(seed)
    return train(network().to(device), torch.tensor(x, device=device), torch.tensor(y, device=device))


def predict(model, x):
    device = next(model.parameters()).device
    with torch.no_grad():
        return model(torch.tensor(x, device=device)).cpu()
