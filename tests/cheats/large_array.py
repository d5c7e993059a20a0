"""As Python's numbers it takes nine times what it takes as bytes."""

import numpy as np


def add(a, b):
    return np.zeros(1 << 25, np.uint8)


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
