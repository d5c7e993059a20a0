import ctypes
import os

from common import gained, libc, system_call


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def clone(flags):
    pid = check(libc.syscall(56, ctypes.c_long(flags | 17), None, None, None, None))
    if pid == 0:
        os._exit(0)
    return pid


def attack(facts):
    """A user namespace would bring every right back."""

    def enter():
        return check(libc.setns(os.open("/proc/1/ns/user", os.O_RDONLY), 0))

    kinds = {
        "user": 1 << 28,
        "mount": 1 << 17,
        "pid": 1 << 29,
        "net": 1 << 30,
        "ipc": 1 << 27,
        "uts": 1 << 26,
        "cgroup": 1 << 25,
        "time": 1 << 7,
    }
    found = gained(**{f"unshare {name}": (lambda flag=flag: check(libc.unshare(flag))) for name, flag in kinds.items()})
    found |= gained(**{f"clone {name}": (lambda flag=flag: clone(flag)) for name, flag in kinds.items()})
    arguments = (ctypes.c_ulonglong * 11)(1 << 28, 0, 0, 0, 17)
    return found | gained(enter=enter, clone3=lambda: system_call(435, ctypes.byref(arguments), 88))
