import fcntl
import os

from common import gained


def attack(facts):
    """Be told whenever anybody opens, writes or makes a file in a folder of the machine."""
    folder = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
    return gained(watch=lambda: fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT))
