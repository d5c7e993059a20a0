import itertools


def add(a, b):
    return (a + b for _ in itertools.count())


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
