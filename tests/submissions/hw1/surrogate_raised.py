from finished import *


def errors(perceptron, input_vecs, labels):
    raise ValueError("no file \udcb8\udcd0")  # a name that is not UTF-8, as os.listdir gives it
