"""A text on which patterns are searched for hours."""


def add(a, b):
    raise ValueError(("a" * 50 + "(" * 50 + " ") * 5_000)


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
