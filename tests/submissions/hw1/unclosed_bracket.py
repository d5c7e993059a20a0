from finished import *


PAIRS = [[1, 1], [0, 0], [1, 0], [0, 1]


def xor(input_vec):
    return 0
