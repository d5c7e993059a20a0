"""Homework 3: which piece of clothing is it? Fashion-MNIST (PyTorch)."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def to_loader(images: np.ndarray, labels: np.ndarray, *, batch_size: int = 64, shuffle: bool = False) -> DataLoader:
    """Return batches of (images float32 [b, 28, 28], labels int64 [b]); the last one may be smaller.

    This is how NumPy arrays become what your training loop goes through. It is finished, but use it with open eyes:
    pixels keep the values they have in ``images``, and unless you ask for ``shuffle`` the order is that of the arrays.

        for x, y in to_loader(images, labels, batch_size=32):
            print(x.shape, x.dtype, y.shape, y.dtype)  # [32, 28, 28] torch.float32, [32] torch.int64

    Args:
        images: array [n, 28, 28] of any number type.
        labels: int64 array [n].
        batch_size: images in a batch, b.
        shuffle: draw a new order in each epoch.
    """
    # torch.tensor copies; torch.from_numpy would share its memory with the caller's array.
    dataset = TensorDataset(torch.tensor(images, dtype=torch.float32), torch.tensor(labels))
    return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle)


# BEGIN SOLUTION (Task 3.1: the network, and what fit and predict share)
def network() -> torch.nn.Module:
    """Return a new, untrained network: images [n, 28, 28] to logits [n, 10]."""
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(28 * 28, 256),
        torch.nn.ReLU(),
        torch.nn.Linear(256, 10),  # no softmax here: CrossEntropyLoss takes logits
    )


def scaled(images: np.ndarray) -> np.ndarray:
    """Return the pixels as float32 in [0, 1], in a new array."""
    return images.astype(np.float32) / 255


# END SOLUTION


def fit(images: np.ndarray, labels: np.ndarray, *, seed: int = 0, device: str = "cpu") -> torch.nn.Module:
    """Train a classifier on the given images.

    Args:
        images: pixels, uint8 array [n, 28, 28], 0 to 255; n is between 200 and 60,000.
        labels: classes, int64 array [n], 0 to 9; in whatever order, and with whatever meaning, they come.
        seed: what every random number of the training follows from.
        device: where to train: "cpu", "cuda" or "mps".

    Returns:
        The trained model, in whatever form ``predict`` and ``save`` below can use.
    """
    # BEGIN SOLUTION (Task 3.1: fit)
    torch.manual_seed(seed)
    model = network().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()
    batches = to_loader(scaled(images), labels, shuffle=True)
    for _ in range(5):
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_function(model(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
    return model.eval()
    # END SOLUTION


def predict(model: torch.nn.Module, images: np.ndarray) -> torch.Tensor:
    """Return the class that the model sees in each image.

    Args:
        model: what ``fit`` or ``load`` returned.
        images: pixels, uint8 array [n, 28, 28], 0 to 255; n may be 1.

    Returns:
        Classes, integers [n], 0 to 9: a tensor, a NumPy array or a list.
    """
    # BEGIN SOLUTION (Task 3.2: predict)
    device = next(model.parameters()).device
    with torch.no_grad():
        logits = model(torch.tensor(scaled(images), device=device))
    return logits.argmax(dim=1).cpu()
    # END SOLUTION


def save(model: torch.nn.Module, folder: str) -> None:
    """Write the model into a folder, so that ``load`` can bring it back in another process.

    Args:
        model: what ``fit`` returned.
        folder: an empty folder that exists; write any files there, and nowhere else.
    """
    # BEGIN SOLUTION (Task 3.3: save)
    torch.save(model.state_dict(), Path(folder) / "weights.pt")
    # END SOLUTION


def load(folder: str) -> torch.nn.Module:
    """Return the model that ``save`` has written: it predicts what the saved one did.

    Args:
        folder: holds the files that ``save`` wrote. It may have been moved, and this process has not called ``fit``.
    """
    # BEGIN SOLUTION (Task 3.3: load)
    model = network()
    model.load_state_dict(torch.load(Path(folder) / "weights.pt", map_location="cpu", weights_only=True))
    return model.eval()
    # END SOLUTION
