from finished import *


def predict(weights, bias, input_vec):
    return reduce(lambda a, b: a + b,
                  map(lambda (x, w): x * w,
                      zip(input_vec, weights)), 0.0) + bias
