"""Resource limits: what one process may take. Inherited, and never to be raised again without rights."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import NamedTuple

_STACK_BYTES = (8 << 20, 64 << 20)  # the usual; a student may raise it for a deep recursion
_OPEN_FILES = 256
# One byte, and not none: where the system gives core dumps to a program (apport, systemd), only this keeps the kernel
# from starting it, as root, for each crash.
_NO_CORE = 1
_SIGNALS_WAITING = 1024  # and timers; all boxes together have what one user of the machine may have
MOST_THREADS = 256  # tensorflow starts a few for each core, several times over
_ADDRESS_SPACE_FACTOR = 8  # tensorflow reserves far more than it uses; a backstop for what DATA does not count
_KB = 1024


class Budget(NamedTuple):
    """What one process of the box may take beyond what it had when it was forked."""

    memory_bytes: int
    cpu_s: int
    file_bytes: int
    processes: int
    has_gpu: bool = False


class Usage(NamedTuple):
    """What a process has mapped."""

    data_bytes: int
    total_bytes: int


def usage() -> Usage:
    """Return what this process has mapped."""
    fields = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Vm")
    )
    return Usage(*(int(fields[name].split()[0]) * _KB for name in ("VmData", "VmSize")))


def apply(budget: Budget) -> None:
    """Lower this process's limits to the budget.

    Why: where no cgroup can be made this is the bound on memory; and it turns an allocation that is too large into a
    MemoryError at the line that asked for it, where a cgroup only kills.

    Memory counts from what is mapped already: a fork of a process with a framework in it begins with hundreds of MB.
    DATA, and the address space only far above it: shared memory counts in the latter alone. Neither beside a GPU: CUDA
    reserves more addresses than the GPUs and the machine have memory. There the watch from outside, and a cgroup where
    one can be made, are the only bound.
    """
    mapped = usage()
    address_space = mapped.total_bytes + _ADDRESS_SPACE_FACTOR * budget.memory_bytes
    _lower(resource.RLIMIT_CORE, _NO_CORE)
    _lower(resource.RLIMIT_SIGPENDING, _SIGNALS_WAITING)
    _lower(resource.RLIMIT_MEMLOCK, 1 << 16)
    _lower(resource.RLIMIT_MSGQUEUE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _lower(resource.RLIMIT_NPROC, MOST_THREADS + budget.processes)
    _lower(resource.RLIMIT_FSIZE, budget.file_bytes)
    _lower(resource.RLIMIT_STACK, *_STACK_BYTES)
    # The hard limit a second later: at the hard limit the kernel sends SIGKILL, which tells nothing.
    _lower(resource.RLIMIT_CPU, budget.cpu_s, budget.cpu_s + 1)
    if budget.has_gpu:
        return
    _lower(resource.RLIMIT_DATA, mapped.data_bytes + budget.memory_bytes)
    _lower(resource.RLIMIT_AS, address_space)


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    """Set a limit, or what is left of it where the process had less already."""
    ceiling = resource.getrlimit(kind)[1]
    wanted = soft if hard is None else hard
    hard = wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)
    resource.setrlimit(kind, (min(soft, hard), hard))
