"""A thread writes into the array while it is on its way: neither of the two numbers is right."""

import threading

import numpy as np


def add(a, b):
    shared = np.full(1, 4.0)

    def change():
        while True:
            shared[:] = 6.0
            shared[:] = 4.0

    threading.Thread(target=change, daemon=True).start()
    return shared


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
