import torch
from torch import nn


def train_network(x, y, epochs=200):
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(epochs):
        optimizer.zero_grad()
        ((model(torch.tensor(x)) - torch.tensor(y)) ** 2).mean().backward()
        optimizer.step()
    return model


def predict(model, x):
    return model(torch.tensor(x))
