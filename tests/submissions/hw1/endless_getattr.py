from finished import *


class Perceptron(Perceptron):
    weights = property(lambda self: self.weights)

    def __init__(self, input_num, activator):
        self.activator, self.bias = activator, 0.0

    def __repr__(self):
        raise SystemExit

    def __del__(self):
        raise RuntimeError("gone")
