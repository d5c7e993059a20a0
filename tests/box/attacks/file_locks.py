import fcntl
import os
import struct

from common import gained

F_OFD_SETLK = 37


def attack(facts):
    """A lock on a file that every box sees is a signal: one box takes it, another one tries to."""
    shared = os.open(os.__file__, os.O_RDONLY)
    whole_file = struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0)
    is_free = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    return gained(
        whole=lambda: fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB),
        of_description=lambda: fcntl.fcntl(shared, F_OFD_SETLK, whole_file),
        asked=lambda: fcntl.fcntl(shared, fcntl.F_GETLK, is_free),
        all=lambda: open("/proc/locks").read() or os.stat("/nowhere"),
    )
