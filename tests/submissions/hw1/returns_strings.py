from finished import *


def f(x):
    return "1" if x > 0 else "0"


def errors(perceptron, input_vecs, labels):
    return "none"
