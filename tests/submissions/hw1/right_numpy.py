"""Arrays inside and numpy scalars out."""

import numpy as np

X = np.array([[1, 1], [0, 0], [1, 0], [0, 1]], dtype=float)


def f(x):
    return np.heaviside(x, 0).astype(int)


class Perceptron:
    def __init__(self, input_num, activator):
        self.activator = activator
        self.weights = np.zeros((input_num, 1))
        self.bias = np.zeros(1)

    def predict(self, input_vec):
        return self.activator((np.asarray(input_vec) @ self.weights + self.bias)[0])

    def train(self, input_vecs, labels, iteration, rate):
        for _ in range(iteration):
            for x, y in zip(np.array(input_vecs, dtype=float), labels):
                step = rate * (y - self.predict(x))
                self.weights += step * x[:, None]
                self.bias += step


def trained(labels):
    p = Perceptron(2, f)
    p.train(X, np.array(labels), 25, 0.1)
    return p


def train_and_perceptron():
    return trained([1, 0, 0, 0])


def errors(perceptron, input_vecs, labels):
    predictions = np.array([perceptron.predict(x) for x in input_vecs])
    return np.count_nonzero(predictions != np.array(labels))


def xor(input_vec):
    hidden = [trained([1, 0, 1, 1]).predict(input_vec), trained([0, 1, 1, 1]).predict(input_vec)]
    return np.bool_(trained([1, 0, 0, 0]).predict(hidden))
