import numpy as np


def add(a, b):
    return np.empty((1 << 30, 0))


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
