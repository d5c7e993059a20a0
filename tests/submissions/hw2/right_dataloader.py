"""A class, mini-batches by a DataLoader, torch.compile, and predictions as a list [n]."""

import torch
from torch.utils.data import DataLoader, TensorDataset


class MLP(torch.nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.hidden = torch.nn.Linear(2, width)
        self.hidden2 = torch.nn.Linear(width, width)
        self.out = torch.nn.Linear(width, 1)

    def forward(self, x):
        return self.out(torch.relu(self.hidden2(torch.relu(self.hidden(x))))).squeeze(-1)


def fit(x, y, *, seed, device):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = torch.compile(MLP().to(device))
    loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=100, shuffle=True, num_workers=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for epoch in range(25):
        for batch, labels in loader:
            loss = torch.nn.functional.mse_loss(model(batch.to(device)), labels.to(device)[:, 0])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.4f}")
    return model


@torch.inference_mode()
def predict(model, x):
    device = next(model.parameters()).device
    return model(torch.from_numpy(x).to(device)).tolist()
