from finished import *


class Nothing:
    @property
    def __class__(self):
        raise RuntimeError("no class")


def xor(input_vec):
    return Nothing()
