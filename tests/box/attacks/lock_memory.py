import ctypes
import mmap

from common import gained, libc


def attack(facts):
    """Memory that can't be swapped out is taken from all others."""
    pages = mmap.mmap(-1, 1 << 20)
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(pages)))

    def lock():
        if libc.mlock(address, ctypes.c_size_t(len(pages))) < 0:
            raise OSError(ctypes.get_errno(), "refused")

    return gained(lock=lock)
