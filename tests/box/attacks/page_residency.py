import ctypes
import mmap
import os

from common import gained, libc

libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


def attack(facts):
    """Which parts of a file that all boxes see were read lately, and make the machine forget them: a signal."""
    shared = os.open(os.__file__, os.O_RDONLY)
    page = ctypes.c_void_p(libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, shared, 0))
    own = ctypes.c_void_p(libc.mmap(None, 4096, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0))

    def done(result):
        return "done" if result == 0 else os.stat("/nowhere")

    def read_lately():
        told = ctypes.create_string_buffer(1)
        return done(libc.mincore(page, ctypes.c_size_t(4096), told)), told.raw

    def advised(memory, advice):
        return done(libc.madvise(memory, ctypes.c_size_t(4096), advice))

    return gained(
        read_lately=read_lately,
        pageout=lambda: advised(page, 21),
        cold=lambda: advised(page, 20),
        mergeable=lambda: advised(own, 12),
    )
