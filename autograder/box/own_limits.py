"""The limits that a worker puts on itself (inside the box): the standard library only, and by Python 3.9 too.

A first line only: the judge watches the memory of the whole tree as well, and ends what exceeds it.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Protocol


class Bounds(Protocol):
    """What a process is limited to, by whoever asks for it."""

    @property
    def memory_bytes(self) -> int:
        """Of its own memory."""
        ...

    @property
    def cpu_s(self) -> int:
        """Of processor time."""
        ...

    @property
    def file_bytes(self) -> int:
        """Of one file."""
        ...


def limit_self(bounds: Bounds) -> None:
    """Lower this process's own limits, where the platform has them (not on Windows)."""
    try:
        import resource
    except ImportError:
        return
    _lower(resource.RLIMIT_CORE, 1)  # not 0: at one byte the kernel starts no program that collects crashes either
    _lower(resource.RLIMIT_FSIZE, bounds.file_bytes)
    # The hard limit a second later: at the hard limit the kernel sends SIGKILL, which tells nothing.
    _lower(resource.RLIMIT_CPU, bounds.cpu_s, beyond=1)
    # DATA, not AS: torch and tensorflow reserve address space in tens of GB. Not beside a GPU: CUDA maps its memory.
    if sys.platform == "linux" and not Path("/dev/nvidiactl").exists():
        _lower(resource.RLIMIT_DATA, bounds.memory_bytes)


def _lower(kind: int, value: int, beyond: int = 0) -> None:
    import resource

    hard = resource.getrlimit(kind)[1]
    limit = value + beyond if hard == resource.RLIM_INFINITY else min(value + beyond, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses some of them
        resource.setrlimit(kind, (min(value, limit), limit))
