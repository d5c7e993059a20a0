"""Bytes without a meaning, that any number can be read out of."""

import numpy as np


def add(a, b):
    return np.zeros(1, dtype=[("a", "V8"), ("b", "O")])


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
