import ctypes

from common import gained, libc

libc.mmap.restype = ctypes.c_long


def reserve(size):
    if libc.mmap(None, ctypes.c_size_t(size), 0, 0x4022, -1, ctypes.c_long(0)) == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return size


def attack(facts):
    """Page tables for addresses that nothing lies at."""
    return gained(reserved=lambda: reserve(1 << 42))
