from finished_torch import *


def predict(model, images):
    with torch.no_grad():
        return model(torch.tensor(images) / 255)
