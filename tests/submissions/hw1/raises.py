from finished import *


def errors(perceptron, input_vecs, labels):
    count = 0
    for i in range(len(labels) + 1):
        count += check(perceptron, input_vecs[i], labels[i])
    return count


def check(perceptron, vec, label):
    print("checking", vec)
    return perceptron.predict(vec) != label
