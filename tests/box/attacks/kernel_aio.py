import ctypes

from common import gained, system_call


def attack(facts):
    """Have threads of the kernel's read and write; they are nobody's."""
    context = ctypes.c_ulong(0)
    return gained(setup=lambda: system_call(206, 8, ctypes.byref(context)))
