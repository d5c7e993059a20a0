from finished import *


def errors(perceptron, input_vecs, labels):
    wrong = 0
    while True:
        print("error", wrong, perceptron.weights * 20)
