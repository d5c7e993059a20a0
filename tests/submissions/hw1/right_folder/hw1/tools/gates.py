from neuron import Perceptron, f

from . import PAIRS


def gate(labels):
    perceptron = Perceptron(2, f)
    perceptron.train(PAIRS, labels, 20, 0.1)
    return perceptron
