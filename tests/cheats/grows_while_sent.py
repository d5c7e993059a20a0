"""A list that is never at its end: a thread adds to it while it is read."""

import threading


class Endless(tuple):
    _fields = ("a", "b")

    def __iter__(self):
        while True:
            yield 5


def add(a, b):
    return Endless((1, 2))


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
