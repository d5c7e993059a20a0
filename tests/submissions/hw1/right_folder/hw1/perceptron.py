from neuron import Perceptron, f
from tools import PAIRS
from tools.gates import gate

with open("notes.txt", encoding="utf-8") as notes:  # a file handed in lies where the code runs
    assert "rounds" in notes.read()


def train_and_perceptron():
    return gate([1, 0, 0, 0])


def errors(perceptron, input_vecs, labels):
    return sum(perceptron.predict(vec) != label for vec, label in zip(input_vecs, labels))


def xor(input_vec):
    return gate([1, 0, 0, 0]).predict([gate(labels).predict(input_vec) for labels in ([1, 0, 1, 1], [0, 1, 1, 1])])
