import os

from finished import *


def errors(perceptron, input_vecs, labels):
    os.fork()  # from here on two processes answer
    return sum(perceptron.predict(vec) != label for vec, label in zip(input_vecs, labels))
