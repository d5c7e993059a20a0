import mmap
import os

from common import gained


def attack(facts):
    """Load a library of one's own without the loader: a file mapped for execution."""
    with open("code", "wb") as file:
        file.write(bytes(mmap.PAGESIZE))
    descriptor = os.open("code", os.O_RDWR)
    return gained(mapped=lambda: mmap.mmap(descriptor, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC))
