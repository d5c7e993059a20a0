import io
import sys

from finished import *

sys.stdin = sys.__stdin__ = None
sys.stdout = io.StringIO()
sys.stderr.close()


def xor(input_vec):
    a, b = input_vec
    print(a, b)
    return int(a != b)
