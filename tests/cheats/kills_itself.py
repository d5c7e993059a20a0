"""Is killed as by somebody else, so that it is tried once more; and once more it is."""

import os
import signal


def add(a, b):
    os.kill(os.getpid(), signal.SIGKILL)


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
