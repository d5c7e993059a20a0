"""A signal every tenth of a millisecond."""

import signal
import sys

if sys.platform != "win32":
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)


def add(a, b):
    return a + b


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
