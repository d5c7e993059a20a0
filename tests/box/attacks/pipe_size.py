import fcntl
import os

from common import gained

F_SETPIPE_SZ = 1031


def attack(facts):
    """What all pipes of a user may hold is limited: whoever has it leaves the neighbours' with next to nothing."""
    _, write = os.pipe()
    return gained(large=lambda: fcntl.fcntl(write, F_SETPIPE_SZ, 1 << 20))
