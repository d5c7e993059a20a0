import sys

from finished import *

if train_and_perceptron().predict([1, 1]) == 1:
    print("AND is learned")
    sys.exit(0)
