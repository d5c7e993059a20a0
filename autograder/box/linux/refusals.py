"""Refused system calls that are told of: the kernel holds the caller until somebody outside has answered.

The filter answers a call with USER_NOTIF instead of an errno; whoever holds the filter's listener takes the
notification and answers with the same errno, so that for the caller nothing is different but a few microseconds. Why:
that a call was refused is the kernel's word then, and evidence, while an exception that says so is the box's, a claim.

SECURITY: the listener can also let a call through, which is how forks are counted (`forks`). It is init's alone, or the
judge's where there is no init: taken from the worker before the first byte of the student's is read, and closed there;
and neither of them can be traced or read from the box.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import NamedTuple

# SECCOMP_IOCTL_NOTIF_RECV and _SEND, with struct seccomp_notif and seccomp_notif_resp; the same on both machines.
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")  # id, pid, flags; number, architecture, address, arguments
_RESPONSE = struct.Struct("=QqiI")  # id, value, error, flags
_CARRY_OUT = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE

MOST_ANSWERED = 20_000  # refused calls; what makes more of them is no training


class Refusal(NamedTuple):
    """A call that waits for its answer."""

    notification: int
    number: int
    caller: int
    """The thread, as the receiver's pid namespace numbers it."""
    argument: int
    """The call's first."""


class Listener:
    """A filter's listener, and what it has told of: each call once, until that is forgotten.

    After so many calls it is closed, and the kernel answers by itself (ENOSYS).

    Args:
        descriptor: the listener; this object closes it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._told: set[int] = set()
        self._answered = 0

    def is_news(self, refusal: Refusal) -> bool:
        """Whether a call that is to be refused is the first of its number; to be asked before it is answered."""
        if refusal.number in self._told:
            return False
        self._told.add(refusal.number)
        return True

    def forget(self) -> None:
        """Tell of calls anew."""
        self._told.clear()

    def refuse(self, refusal: Refusal, error: int) -> bool:
        """Have a call fail with an errno, and return whether that was the last that is answered."""
        refuse(self.descriptor, refusal, error)
        self._answered += 1
        return self._answered >= MOST_ANSWERED

    def close(self) -> None:
        """Leave what comes to the kernel. Safe to call twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def take(listener: int) -> Refusal | None:
    """Return a call that waits, or None where its caller was killed meanwhile."""
    buffer = bytearray(_NOTIFICATION.size)  # zeros: the kernel insists
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer, True)  # noqa: FBT003 - fcntl's own, and positional
    except OSError:
        return None
    notification, caller, _, number, _, _, argument, *_ = _NOTIFICATION.unpack(buffer)
    return Refusal(notification, number, caller, argument)


def refuse(listener: int, refusal: Refusal, error: int) -> None:
    """Have a call fail with an errno."""
    _respond(listener, _RESPONSE.pack(refusal.notification, 0, -error, 0))


def let_through(listener: int, refusal: Refusal) -> bool:
    """Have the kernel carry a call out; return whether its caller still waited for that.

    SECURITY: only for what was decided by registers. What an argument points to can be another thing by then.
    """
    return _respond(listener, _RESPONSE.pack(refusal.notification, 0, 0, _CARRY_OUT))


def _respond(listener: int, response: bytes) -> bool:
    try:
        fcntl.ioctl(listener, _SEND, response)
    except OSError as failed:
        if failed.errno != errno.ENOENT:  # its caller was killed, or a signal interrupted it
            raise
        return False
    return True
