import sys

from finished import *


def errors(perceptron, input_vecs, labels):
    sys.exit("no errors at all")
