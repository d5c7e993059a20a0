import os
import tempfile

from finished import *

os.chdir(tempfile.mkdtemp())


def xor(input_vec):
    os.chdir("/")
    return int(input_vec[0] != input_vec[1])


def errors(perceptron, input_vecs, labels):
    raise LookupError("the frames still say where")
