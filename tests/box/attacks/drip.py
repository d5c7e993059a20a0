import os
import struct
import time


def attack(facts):
    """A byte now and then keeps every wait for the next one short."""
    os.write(3, struct.pack("<IQ", 100_000, 0))
    while True:
        os.write(3, b"x")
        time.sleep(0.05)
