from finished import *


def errors(perceptron, input_vecs, labels):
    half = len(labels) / 2
    return sum(perceptron.predict(v) != l for v, l in zip(input_vecs[:half], labels[:half]))
