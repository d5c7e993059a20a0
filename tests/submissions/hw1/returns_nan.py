from finished import *


class Perceptron(Perceptron):
    def __init__(self, input_num, activator):
        self.activator = activator
        self.weights = [float("inf")] * input_num
        self.bias = float("nan")


def errors(perceptron, input_vecs, labels):
    return float("-inf")


def xor(input_vec):
    return float("nan")
