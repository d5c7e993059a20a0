from finished import *


class Cancelled(BaseException):
    pass


def errors(perceptron, input_vecs, labels):
    raise Cancelled("by me")


def xor(input_vec):
    raise KeyboardInterrupt


def train_and_perceptron():
    raise GeneratorExit
