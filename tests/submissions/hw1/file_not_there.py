from finished import *


def errors(perceptron, input_vecs, labels):
    with open("data/labels.csv") as file:
        return len(file.readlines())
