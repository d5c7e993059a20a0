import os

from common import gained


def attack(facts):
    """A file that is larger than may be written, without writing it."""
    descriptor = os.open("file", os.O_CREAT | os.O_RDWR)
    return gained(
        hole=lambda: os.ftruncate(descriptor, 1 << 40),
        reserved=lambda: os.posix_fallocate(descriptor, 0, 1 << 32),
        far_away=lambda: os.pwrite(descriptor, b"x", 1 << 40),
    )
