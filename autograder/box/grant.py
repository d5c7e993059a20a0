"""What of a machine's GPUs a box is granted: which of them, and which share of their memory. Nothing unless it is said.

One attempt has one grant. A scheduler divides the machine into `slots` and lends each running attempt one of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

import psutil

from autograder.box.nvml import Gpu, Meter

# What CUDA opens besides the GPU's own node: the driver itself, and its unified memory. Not nvidia-modeset, which is
# for screens, and not nvidia-caps: who has those may watch or configure the whole machine's GPUs.
_SHARED_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
# What the driver itself keeps on a GPU for each process, beside what was asked for; the framework's own limit can't
# count it, so it is added to the share before a box is ended for it.
CONTEXT_BYTES = 1 << 30


@dataclass(frozen=True)
class Grant:
    """GPUs that a box may use.

    Args:
        gpus: which.
        share: of the memory of each.
    """

    gpus: tuple[Gpu, ...] = ()
    share: float = 1.0

    @property
    def nodes(self) -> tuple[tuple[str, str], ...]:
        """The device nodes: where each is on this machine, and its name in the box's /dev."""
        names = (*_SHARED_NODES, *(f"nvidia{gpu.minor}" for gpu in self.gpus)) if self.gpus else ()
        return tuple((f"/dev/{name}", name) for name in names)

    @property
    def visible(self) -> str:
        """What CUDA_VISIBLE_DEVICES is in the box."""
        return ",".join(gpu.uuid for gpu in self.gpus)

    @property
    def memory_bytes(self) -> int:
        """The memory that all processes of the box may take together, of all its GPUs."""
        return int(self.share * sum(gpu.memory_bytes for gpu in self.gpus))


NO_GPU = Grant()


def slots(gpus: Iterable[Gpu], per_gpu: int = 1) -> tuple[Grant, ...]:
    """Return the grants that attempts running at the same time can be given: each GPU, divided by so many."""
    return tuple(Grant((gpu,), 1 / per_gpu) for gpu in gpus for _ in range(per_gpu))


def allowed(gpus: tuple[Gpu, ...], visible: str | None) -> tuple[Gpu, ...]:
    """Return the GPUs that the user's own CUDA_VISIBLE_DEVICES leaves, in its order; all where it is not set."""
    if visible is None:
        return gpus
    found = []
    for name in (part.strip() for part in visible.split(",")):
        matching = [gpu for gpu in gpus if gpu.uuid.startswith(name)] if name.startswith("GPU-") else []
        if name.isdigit() and int(name) < len(gpus):
            matching = [gpus[int(name)]]
        if not matching:  # as CUDA does: what follows a name that is none does not count
            break
        found += matching[:1]
    return tuple(found)


class _HasPid(Protocol):
    @property
    def pid(self) -> int: ...


class GpuWatch:
    """A thread that adds up a box's memory on its GPUs and ends the box beyond its share.

    Why: what the framework was asked to keep to is kept by the framework, in the box: the student's code can lift it.

    Args:
        grant: of the box.
        meter: tells what processes have.
        members: the box's processes now.
        on_excess: called once.
    """

    _EVERY_S = 0.2

    def __init__(
        self,
        grant: Grant,
        meter: Meter,
        members: Callable[[], Collection[psutil.Process] | Collection[_HasPid]],
        on_excess: Callable[[], None],
    ) -> None:
        self._grant, self._meter, self._members, self._on_excess = grant, meter, members, on_excess
        self._stop = threading.Event()
        threading.Thread(target=self._watch, name="box gpu", daemon=True).start()

    def stop(self) -> None:
        """End the watch; it does not outlive the box."""
        self._stop.set()

    def _watch(self) -> None:
        most = self._grant.memory_bytes + CONTEXT_BYTES * len(self._grant.gpus)
        while not self._stop.wait(self._EVERY_S):
            pids = [member.pid for member in self._members()]
            if self._meter.used_bytes(self._grant.gpus, pids) > most:
                self._on_excess()
                return
