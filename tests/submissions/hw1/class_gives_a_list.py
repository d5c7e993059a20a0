from finished import *


def Perceptron(input_num, activator):
    return [0.0] * (input_num + 1)
