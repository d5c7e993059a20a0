from typing import NamedTuple

from finished import *


class Perceptron(NamedTuple):
    input_num: int
    activator: object
    weights: tuple = (0.0, 0.0)
    bias: float = 0.0

    def predict(self, input_vec):
        return 0

    def train(self, input_vecs, labels, iteration, rate):
        pass
