from finished import *


def xor(input_vec):
    return 9 ** 9 ** 9 % 2
