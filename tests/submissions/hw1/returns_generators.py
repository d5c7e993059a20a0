from finished import *


def xor(input_vec):
    yield int(input_vec[0] != input_vec[1])


class Perceptron(Perceptron):
    def train(self, input_vecs, labels, iteration, rate):
        yield super().train(input_vecs, labels, iteration, rate)
