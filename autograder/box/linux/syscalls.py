"""System calls that the standard library has no function for: by name, and an OSError that says which one failed."""

from __future__ import annotations

import ctypes
import os
from enum import IntEnum
from typing import Union

from autograder.box.linux import numbers

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc_with_lock = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock during a call

Argument = Union[int, bytes, "ctypes.Array[ctypes.c_char]", None]


class Prctl(IntEnum):
    """Options of prctl that the layers use."""

    SET_PDEATHSIG = 1
    SET_DUMPABLE = 4
    CAPBSET_DROP = 24
    SET_SECUREBITS = 28
    SET_CHILD_SUBREAPER = 36
    SET_NO_NEW_PRIVS = 38
    CAP_AMBIENT = 47


def call(name: str, *arguments: Argument) -> int:
    """Make a system call.

    Args:
        name: the kernel's name of it.
        arguments: numbers, or bytes and buffers, of which the address is given; None is the null pointer.

    Raises:
        OSError: the kernel refused; the message begins with the call's name.
    """
    number = numbers.this_machine().get(name)
    if number is None:
        raise OSError(f"{name}: unknown on this machine")
    # c_long for each: a Python int given bare to a variadic function is passed as 32 bits, and the rest is chance.
    result = _libc.syscall(ctypes.c_long(number), *(_as_c(argument) for argument in arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return int(result)


def name_of(number: int) -> str:
    """Return the kernel's name of a system call."""
    return next((name for name, known in numbers.this_machine().items() if known == number), str(number))


def prctl(option: Prctl, *values: int) -> int:
    """Change an attribute of this process."""
    padded = [*values, 0, 0, 0, 0][:4]  # some options insist on zeros
    return call("prctl", option, *padded)


def fork_bare() -> int:
    """Fork without telling Python; return 0 in the new process, its pid in this one.

    Why not os.fork: in the new process Python resets the locks of threads that are gone, seeds generators, and has all
    libraries do the like. With torch imported that copies 300 pages, 1.5 ms. Only for a process with one thread, which
    has no lock to reset, and for a child that runs nobody's code but ours; whatever it forks by os.fork is told.
    """
    pid = int(_libc_with_lock.fork())
    if pid < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"fork: {os.strerror(error)}")
    return pid


def set_no_new_privileges() -> None:
    """Make sure that no later exec gains rights: a setuid program in reach runs with ours. Can't be undone.

    Why: without it a setuid-root file found in /usr would be a way out of every other layer; and landlock and seccomp
    ask for it from whoever has no rights.
    """
    prctl(Prctl.SET_NO_NEW_PRIVS, 1)


def set_dumpable(*, dumpable: bool) -> None:
    """Say whether processes of the same user may look into this one.

    Why: /proc/N/mem, /proc/N/fd and ptrace of a process that is not dumpable are closed to its peers. init holds the
    descriptor that evidence is written to; the student's code must not borrow it.
    """
    prctl(Prctl.SET_DUMPABLE, int(dumpable))


def die_with_parent() -> None:
    """Have this process killed when the thread that made it ends; cleared by setuid, so to be called after it."""
    prctl(Prctl.SET_PDEATHSIG, 9)


def _as_c(argument: Argument) -> ctypes.c_long | ctypes.c_void_p | ctypes.c_char_p | ctypes.Array[ctypes.c_char]:
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    if isinstance(argument, bytes):
        return ctypes.c_char_p(argument)
    return argument
