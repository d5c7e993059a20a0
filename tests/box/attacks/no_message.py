import os
import struct


def attack(facts):
    """A frame of the right lengths with no message in it."""
    os.write(3, struct.pack("<IQ", 6, 0) + b"\xc1\xff\x00{}[")
    return {}
