from finished import *


def errors(perceptron, input_vecs, labels):
    order = range(len(labels))
    order.sort()
    return sum(perceptron.predict(input_vecs[i]) != labels[i] for i in order)
