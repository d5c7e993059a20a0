import torch
from torch import nn


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.stack(x)

    def fit(self, x, y, seed=0):
        optimizer = torch.optim.Adam(self.parameters())
        for _ in range(100):
            optimizer.zero_grad()
            ((self(torch.tensor(x)) - torch.tensor(y)) ** 2).mean().backward()
            optimizer.step()

    def predict(self, x):
        return self(torch.tensor(x)).detach().numpy()
