"""Names of functions, classes and files that a terminal acts on, in a traceback."""

import os

NAME = "\x1b[2J\x1b]0;owned\x07\u202e\r\x9b31m"
SOURCE = "def f():\n    raise type(NAME, (ValueError,), {})(NAME)  # \x1b[2J\u202e\n"


def add(a, b):
    exec(compile(SOURCE, f"{os.getcwd()}/{NAME}.py", "exec"), names := {"NAME": NAME})
    names["f"].__code__ = names["f"].__code__.replace(co_name=NAME, co_qualname=NAME)
    return names["f"]()


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
