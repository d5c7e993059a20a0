from finished import *


def errors(perceptron, input_vecs, labels):
    raise ExceptionGroup("several", [ValueError(1), TypeError(2)])


def xor(input_vec):
    try:
        return PAIRS[9]
    except IndexError as error:
        raise RuntimeError("x" * 100_000) from error
