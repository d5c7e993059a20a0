"""How much memory there is for boxes: what the machine has left, or the container that this process is in.

A container's limit is a control group's, and /proc/meminfo says nothing of it: it tells of the whole machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import NamedTuple

import psutil

from autograder.box.linux import cgroup

_UNLIMITED = 1 << 60  # version 1 writes a number of about 2**63


class Files(NamedTuple):
    """What the files of a memory controller are called."""

    limit: str
    usage: str
    reclaimable: str
    """In memory.stat: what the kernel can take back at once."""


_FILES = {
    1: Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: Files("memory.max", "memory.current", "inactive_file"),
}


def available_bytes() -> int:
    """Return how much memory can be had now, without swapping: the least of what the machine and its groups leave."""
    left = [psutil.virtual_memory().available, *left_in_groups(cgroup.groups_here("memory"))]
    return max(min(left), 0)


def left_in_groups(groups: Iterable[cgroup.LimitingGroup]) -> list[int]:
    """Return what each group that has a limit leaves."""
    return [left for group in groups if (left := _left_in(group)) is not None]


def _left_in(group: cgroup.LimitingGroup) -> int | None:
    files = _FILES[group.version]
    # Not there, as in the topmost group of version 2; or "max".
    with contextlib.suppress(OSError, ValueError):
        limit = int((group.folder / files.limit).read_text())
        if limit < _UNLIMITED:
            reclaimable = cgroup.counter((group.folder / "memory.stat").read_text(), files.reclaimable)
            return limit - int((group.folder / files.usage).read_text()) + reclaimable
    return None
