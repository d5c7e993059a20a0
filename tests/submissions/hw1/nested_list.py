from finished import *


deep, endless, wide = 0, [], [0]
for _ in range(900):
    deep = [deep]
for _ in range(30):
    wide = [wide, wide]
endless.append(endless)


def f(x):
    return deep


def errors(perceptron, input_vecs, labels):
    return endless


def xor(input_vec):
    return wide
