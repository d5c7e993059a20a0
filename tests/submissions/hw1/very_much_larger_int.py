from finished import *


def errors(perceptron, input_vecs, labels):
    return 10**100_000
