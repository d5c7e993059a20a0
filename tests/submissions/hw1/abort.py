import os

from finished import *


def xor(input_vec):
    os.abort()
