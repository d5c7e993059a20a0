from finished import *


class Perceptron(Perceptron):
    def __init__(self, input_num, activator):
        self.activator = activator
        self.weight = [0.0] * input_num
        self.b = 0.0
