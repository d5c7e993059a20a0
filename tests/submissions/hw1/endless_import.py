from finished import *


while train_and_perceptron():
    pass
