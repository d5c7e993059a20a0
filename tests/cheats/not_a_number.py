"""A measure of it is neither too large nor too small."""


def add(a, b):
    return float("nan")


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
