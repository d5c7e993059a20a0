import os
import struct
import time


def attack(facts):
    """Announce a frame, send half of it, and fall silent."""
    os.write(3, struct.pack("<IQ", 1000, 0) + bytes(500))
    time.sleep(1000)
