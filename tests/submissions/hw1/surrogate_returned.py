from finished import *


def xor(input_vec):
    print("half a character: \udcff")
    return "\ud800"
