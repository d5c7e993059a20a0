from finished_torch import *


def network():
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def fit(images, labels, *, seed=0):
    print("images has shape", images.shape)
    return train(network(), torch.tensor(images) / 255, torch.tensor(labels))
