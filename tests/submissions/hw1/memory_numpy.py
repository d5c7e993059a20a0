import numpy as np

from finished import *


def errors(perceptron, input_vecs, labels):
    return np.ones((100_000, 100_000)).sum()


def xor(input_vec):
    return np.broadcast_to(0.0, (100_000, 100_000))
