from finished_torch import train, network, predict, torch


def fit_model(x, y, *, seed=0, device="cpu"):
    torch.manual_seed(seed)
    return train(network(), torch.tensor(x), torch.tensor(y))
