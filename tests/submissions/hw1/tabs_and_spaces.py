from finished import *


def xor(input_vec):
    if input_vec[0]:
	return 0
    return 1
