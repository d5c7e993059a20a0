import ctypes
import errno

from common import libc


def attack(facts):
    """Keep the machine's disks busy. That nothing is asked of the kernel shows in descriptors that are none."""
    found = {}
    calls = {
        "fsync": lambda: libc.fsync(-1),
        "fdatasync": lambda: libc.fdatasync(-1),
        "syncfs": lambda: libc.syncfs(-1),
        "range": lambda: libc.sync_file_range(-1, ctypes.c_long(0), ctypes.c_long(0), 0),
        "mapped": lambda: libc.msync(ctypes.c_void_p(4096), ctypes.c_size_t(4096), 4),
    }
    for name, call in calls.items():
        if call() != 0:
            found[name] = errno.errorcode[ctypes.get_errno()]
    return found
