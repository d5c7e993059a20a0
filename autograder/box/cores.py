"""How many cores there are for boxes: those that this process may run on, or what its container's quota comes to.

`os.cpu_count()` tells of the whole machine. In a container with four of its 64 cores, 64 attempts at a time would each
get a sixteenth of one, and meet their time limits.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

from autograder.box.linux import cgroup


def usable() -> int:
    """Return how many cores this process can keep busy, at least one.

    A quota is rounded down: limits are on the time that passes, so too many attempts at a time are worse than too few.
    """
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(min([allowed, *map(int, quotas(cgroup.groups_here("cpu")))]), 1)


def quotas(groups: Iterable[cgroup.LimitingGroup]) -> list[float]:
    """Return the processor time of each group that has a limit, in seconds for each second that passes."""
    return [quota for group in groups if (quota := _quota_of(group)) is not None]


def _quota_of(group: cgroup.LimitingGroup) -> float | None:
    # Not there, as in the topmost group of version 2; or "max", in version 1 a negative number.
    with contextlib.suppress(OSError, ValueError):
        if group.version == 1:
            quota, period = (int((group.folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        else:
            quota, period = map(int, (group.folder / "cpu.max").read_text().split())
        if quota > 0 < period:
            return quota / period
    return None
