"""Turns everything that can be turned, and answers honestly."""

import faulthandler
import gc
import os
import sys
import threading
import warnings

warnings.simplefilter("error")
faulthandler.enable()
gc.callbacks.append(lambda phase, found: None)
gc.set_threshold(1)
sys.setswitchinterval(1e-6)
sys.setrecursionlimit(10_000)
sys.settrace(lambda *_: None)
threading.setprofile(lambda *_: None)
sys.excepthook = sys.unraisablehook = sys.displayhook = lambda *_: 1 / 0
sys.dont_write_bytecode = False
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def add(a, b):
    return a + b


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
