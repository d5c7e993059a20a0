import numpy as np


def attack(facts):
    held = []
    while True:
        held.append(np.ones(1 << 21))
