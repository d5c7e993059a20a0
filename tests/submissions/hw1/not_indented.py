from finished import *


def xor(input_vec):
return 0
