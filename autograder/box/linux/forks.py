"""How many processes a box has: counted by its init at each fork, which the filter leaves to it.

The kernel's own bounds, of a user namespace and of a control group, count threads as processes, and a framework starts
dozens of threads. So theirs is far above what an assignment says; this one is for processes alone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from autograder.box.linux import numbers
from autograder.box.linux.policy import ALL_NAMESPACES, CLONE_THREAD
from autograder.box.linux.refusals import Refusal

# A fork that was let through is done in a hundredth of this, on a machine with time to spare.
_UNDERWAY_S = 0.1
_LOOK_AGAIN_S = 0.001
_LEAST_KERNEL = (5, 6)  # the first where init can take the listener; 5.5 carries out a call when told to
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_RELATIVES_ONLY = 1  # above it, init can't take the listener out of its own child


def can_be_counted(release: str | None = None, yama: Path = _YAMA) -> bool:
    """Whether init can be asked about each fork on this machine. Where it can't be, the kernel's bounds are all."""
    version = tuple(int(number) for number in re.findall(r"\d+", release or os.uname().release)[:2])
    try:
        scope = int(yama.read_text())
    except (OSError, ValueError):  # a kernel without it
        scope = 0
    return version >= _LEAST_KERNEL and scope <= _RELATIVES_ONLY


class Forks(NamedTuple):
    """Which calls are forks, by number."""

    plain: frozenset[int]
    clone: int

    def includes(self, refusal: Refusal) -> bool:
        """Whether a call would do nothing but start a process. A thread that is asked about is one with odd flags."""
        # SECURITY: the flags are in a register, which nobody can change between this look and the kernel's.
        return refusal.number in self.plain or (
            refusal.number == self.clone and not refusal.argument & (int(ALL_NAMESPACES) | CLONE_THREAD)
        )


def forks() -> Forks:
    """Return this machine's."""
    known = numbers.this_machine()
    return Forks(frozenset(known[name] for name in ("fork", "vfork") if name in known), known["clone"])


class ForkCount:
    """Decides of each fork whether it makes too many.

    Args:
        most: processes that may be there besides init and the worker; those that nobody has waited for count as well.
        count: gives how many processes there are.
    """

    def __init__(self, most: int, count: Callable[[], int] | None = None) -> None:
        self._most = most
        self._count = count or _count_processes
        self._underway: dict[int, float] = {}  # since when, by the thread that forks

    def allows(self, caller: int) -> bool:
        """Whether there is room for one more.

        SECURITY: one that was let through a moment ago may not be seen yet. So it counts, until its thread makes
        another call or time enough has passed; else many threads at once would each find the same room.
        """
        self._underway.pop(caller, None)  # it is asking again, so its last one is done
        while True:
            now, running = time.monotonic(), self._count()
            self._underway = {one: began for one, began in self._underway.items() if now - began < _UNDERWAY_S}
            if running >= self._most:
                return False
            if running + len(self._underway) < self._most:
                return True
            time.sleep(_LOOK_AGAIN_S)

    def began(self, caller: int) -> None:
        """Note that a thread's fork was let through."""
        self._underway[caller] = time.monotonic()


def _count_processes() -> int:
    """Return how many there are besides init and the worker, by the /proc of their own namespace."""
    return sum(name.isdigit() for name in os.listdir("/proc")) - 2  # noqa: PTH208 - names are all that is wanted
