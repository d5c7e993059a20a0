from finished import f, errors, xor
from sklearn.linear_model import Perceptron


def train_and_perceptron():
    perceptron = Perceptron()
    perceptron.fit([[1, 1], [0, 0], [1, 0], [0, 1]], [1, 0, 0, 0])
    return perceptron
