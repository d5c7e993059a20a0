import numpy as np

from finished import *


class Perceptron(Perceptron):
    def __init__(self, input_num, activator):
        self.activator = activator
        self.weights = np.array([[0.0], [0.0, 0.0]][:input_num], dtype=object)
        self.bias = 0.0
