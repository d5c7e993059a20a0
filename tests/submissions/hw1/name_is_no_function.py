from finished import *


f = 1
xor = [0, 1, 1, 0]
Perceptron = None
