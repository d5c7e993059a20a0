from finished import *


def f(x):
    while x > -1:
        x += 1
    return 0


class Perceptron:
    def __init__(self, input_num, activator):
        activator(0)


train_and_perceptron = errors = xor = lambda *arguments: f(0)
