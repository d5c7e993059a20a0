import fcntl
import os

from common import gained


def attack(facts):
    """Hold up whoever writes to a file, and have descriptors send signals."""
    with open("own", "w") as file:
        file.write("x")
    own = os.open("own", os.O_RDONLY)
    read, _ = os.pipe()
    return gained(
        lease=lambda: fcntl.fcntl(own, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        owner=lambda: fcntl.fcntl(read, fcntl.F_SETOWN, os.getpid()),
        signal=lambda: fcntl.fcntl(read, fcntl.F_SETSIG, 10),
    )
