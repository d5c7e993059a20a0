import os
import struct


def attack(facts):
    os.write(3, struct.pack("<IQ", (1 << 32) - 1, 0))
    return {}
