import sys

from finished import *

sys.setrecursionlimit(10**9)


class Nested:
    def __repr__(self):
        return repr([self.__class__()])


def xor(input_vec):
    return len(repr(Nested()))
