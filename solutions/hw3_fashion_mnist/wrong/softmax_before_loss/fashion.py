"""Softmax in the network, and again in CrossEntropyLoss."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def network() -> torch.nn.Module:
    """Return a new network."""
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(28 * 28, 256),
        torch.nn.ReLU(),
        torch.nn.Linear(256, 10),
        torch.nn.Softmax(dim=1),
    )


def scaled(images: np.ndarray) -> torch.Tensor:
    """Return the pixels in [0, 1]."""
    return torch.tensor(images, dtype=torch.float32) / 255


def fit(images: np.ndarray, labels: np.ndarray, *, seed: int = 0, device: str = "cpu") -> torch.nn.Module:
    """Train a network on the given images."""
    torch.manual_seed(seed)
    model = network().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(scaled(images), torch.tensor(labels)), batch_size=64, shuffle=True)
    for _ in range(5):
        for x, y in loader:
            optimizer.zero_grad()
            loss_function(model(x.to(device)), y.to(device)).backward()
            optimizer.step()
    return model.eval()


def predict(model: torch.nn.Module, images: np.ndarray) -> torch.Tensor:
    """Return the classes, [n]."""
    with torch.no_grad():
        return model(scaled(images).to(next(model.parameters()).device)).argmax(dim=1)


def save(model: torch.nn.Module, folder: str) -> None:
    """Write the weights."""
    torch.save(model.state_dict(), Path(folder) / "weights.pt")


def load(folder: str) -> torch.nn.Module:
    """Read the weights."""
    model = network()
    model.load_state_dict(torch.load(Path(folder) / "weights.pt", map_location="cpu", weights_only=True))
    return model.eval()
