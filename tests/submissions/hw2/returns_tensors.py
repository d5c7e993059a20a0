"""A network by hand: what fit returns is a list of four tensors, and predict counts on their being tensors."""

import torch


def forward(parameters, x):
    w1, b1, w2, b2 = parameters
    return torch.tanh(x @ w1 + b1) @ w2 + b2


def fit(x, y, *, seed=0):
    torch.manual_seed(seed)
    parameters = [torch.randn(2, 48), torch.randn(48), torch.randn(48, 1) / 7, torch.zeros(1)]
    parameters = [tensor.requires_grad_() for tensor in parameters]
    optimizer = torch.optim.Adam(parameters, lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        ((forward(parameters, torch.tensor(x)) - torch.tensor(y)) ** 2).mean().backward()
        optimizer.step()
    return parameters


def predict(model, x):
    return forward([tensor.detach() for tensor in model], torch.tensor(x))
