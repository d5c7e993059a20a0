from array import array
from enum import IntEnum

import finished
from finished import *


class Output(IntEnum):
    OFF = 0
    ON = 1


def f(x):
    return Output.ON if x > 0 else Output.OFF


class Perceptron(finished.Perceptron):
    def __init__(self, input_num, activator):
        super().__init__(input_num, activator)
        self.weights = array("d", self.weights)

    def train(self, input_vecs, labels, iteration, rate):
        super().train(input_vecs, labels, iteration, rate)
        self.weights = array("d", self.weights)
