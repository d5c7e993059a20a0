from finished import *


def errors(perceptron, samples):
    return sum(perceptron.predict(vec) != label for vec, label in samples)


class Perceptron(Perceptron):
    def train(self, input_vecs, labels, iteration):
        super().train(input_vecs, labels, iteration, 0.1)
