import numpy as np
from finished import *


def errors(perceptron, input_vecs, labels):
    wrong = np.float(0)
    for vec, label in zip(input_vecs, labels):
        wrong += perceptron.predict(vec) != label
    return wrong
