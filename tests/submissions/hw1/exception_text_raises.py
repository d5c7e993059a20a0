from finished import *


class Shy(Exception):
    def __str__(self):
        raise self

    __repr__ = __str__


def errors(perceptron, input_vecs, labels):
    raise Shy
