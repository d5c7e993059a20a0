from finished_torch import *
from torch.autograd import Variable


def fit(x, y, *, seed=0):
    model = network()
    x, y = Variable(torch.tensor(x)), Variable(torch.tensor(y))
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    print("loss", loss.data[0])
    return model
