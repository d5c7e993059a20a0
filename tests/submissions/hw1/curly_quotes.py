from finished import *


def __str__(self):
    return “weights: ” + str(self.weights)
