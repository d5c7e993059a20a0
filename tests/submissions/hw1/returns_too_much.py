import decimal

from finished import *


def xor(input_vec):
    return {"xor": {1, 0}}


def errors(perceptron, input_vecs, labels):
    return decimal.Decimal(1)


def f(x):
    return [x > 0] * 3
