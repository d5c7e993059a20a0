from finished import *


def xor(input_vec):
    a, b = input_vec
    print(int(a != b))


def train_and_perceptron():
    gate([1, 0, 0, 0])
