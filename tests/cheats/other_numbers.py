"""What is equal to five, and is no number that was asked for."""

import fractions


def add(a, b):
    return [complex(a + b), fractions.Fraction(a + b), str(a + b)][(a + b) % 3]


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
