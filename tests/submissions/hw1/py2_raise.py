from finished import *


def errors(perceptron, input_vecs, labels):
    if len(input_vecs) != len(labels):
        raise ValueError, "as many labels as inputs"
    return sum(perceptron.predict(v) != l for v, l in zip(input_vecs, labels))
