"""Capabilities: the single rights that root's power is made of. The box has none, in any set."""

from __future__ import annotations

import functools
import struct
from pathlib import Path

from autograder.box.linux.syscalls import Prctl, call, prctl

CHOWN, KILL, SETGID, SETUID, SETPCAP, SYS_ADMIN = 0, 5, 6, 7, 8, 21

_VERSION_3 = 0x20080522
_CLEAR_ALL = 4
# NOROOT, NO_SETUID_FIXUP, NO_CAP_AMBIENT_RAISE, each with its lock: user id 0 is nothing special any more.
_SECUREBITS = 0b1110_1111
_LAST_KNOWN = 40  # CHECKPOINT_RESTORE, for kernels whose /proc does not say


def drop_all() -> None:
    """Give back every capability: effective, permitted, inheritable, ambient, and the bounding set.

    Why: who creates a user namespace has all rights in it, and with them could mount, trace and configure the network
    of its own namespaces; most holes of the kernel of the last ten years needed one of these.
    """
    _drop_bounding_set()
    keep_only()


def keep_only(*numbers: int) -> None:
    """Give back every capability but these, which this process has; and, where it has the right to, for good.

    Why: the process that restricted boxes are forked from gives each a user id of its own, and needs nothing else that
    root can do.
    """
    if holds(SETPCAP) and numbers:
        _drop_bounding_set()
    prctl(Prctl.CAP_AMBIENT, _CLEAR_ALL)
    # Last: dropping the bounding set needs one of them.
    kept = sum(1 << number for number in numbers)
    call("capset", struct.pack("Ii", _VERSION_3, 0), struct.pack("6I", kept, kept, 0, 0, 0, 0))


def holds(capability: int) -> bool:
    """Whether this process can use a capability."""
    fields = Path("/proc/self/status").read_text().split("CapEff:")
    return bool(int(fields[1].split()[0], 16) >> capability & 1)


def _drop_bounding_set() -> None:
    prctl(Prctl.SET_SECUREBITS, _SECUREBITS)
    for number in range(last_capability() + 1):
        prctl(Prctl.CAPBSET_DROP, number)


@functools.cache
def last_capability() -> int:
    """Return the number of the highest capability that this kernel has."""
    file = Path("/proc/sys/kernel/cap_last_cap")
    return int(file.read_text()) if file.exists() else _LAST_KNOWN
