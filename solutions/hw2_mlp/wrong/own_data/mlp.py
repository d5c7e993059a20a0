"""Trains on points and labels made inside fit, as in many a tutorial."""

import numpy as np
import torch


def fit(x: np.ndarray, y: np.ndarray, *, seed: int = 0, device: str = "cpu") -> torch.nn.Module:
    """Train a small network on the given points."""
    torch.manual_seed(seed)
    inputs = torch.rand(len(x), 2, device=device) * 4 - 2
    labels = (inputs**2).sum(dim=1, keepdim=True)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 1),
    ).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(inputs), labels).backward()
        optimizer.step()
    return model


def predict(model: torch.nn.Module, x: np.ndarray) -> torch.Tensor:
    """Return the model's outputs, [n, 1]."""
    with torch.no_grad():
        return model(torch.tensor(x, device=next(model.parameters()).device))
