from finished import *


def xor(input_vec):
    a, b = input_vec
    return eval(f"{a} xor {b}")
