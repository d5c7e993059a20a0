import ctypes
import os

from common import gained, libc, system_call


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def attack(facts):
    buffer = ctypes.create_string_buffer(64)

    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    local, remote = Vector(ctypes.addressof(buffer), 64), Vector(0x400000, 64)
    found = {}
    for pid in (1, facts["judge"], facts["neighbour"]):
        found |= gained(
            **{
                f"attach {pid}": lambda: check(libc.ptrace(16, pid, 0, 0)),
                f"seize {pid}": lambda: check(libc.ptrace(0x4206, pid, 0, 0)),
                f"read {pid}": lambda: system_call(310, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0),
                f"write {pid}": lambda: system_call(311, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0),
                f"pidfd {pid}": lambda: os.pidfd_open(pid),
                f"compare {pid}": lambda: system_call(312, pid, os.getpid(), 0, 0, 0),
            }
        )
    return found | gained(traceme=lambda: check(libc.ptrace(0, 0, 0, 0)))
