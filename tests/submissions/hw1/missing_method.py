from finished import *


class Perceptron:
    def __init__(self, input_num, activator):
        self.weights = [0] * input_num
        self.bias = 0
        self.activator = activator

    def predict(self, input_vec):
        return self.activator(sum(w * x for w, x in zip(self.weights, input_vec)) + self.bias)

    def train_one_iteration(self, input_vecs, labels, rate):
        pass
