"""The ways to start a box, by the name that reports call their isolation; each gives the client the same interface."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

import psutil

from autograder.box import plain
from autograder.box.channel import Channel

if TYPE_CHECKING:
    from autograder.box.init import Room
    from autograder.box.spec import BoxSpec

PROCESS = plain.ISOLATION
RESTRICTED = "restricted"
BWRAP = "bwrap"
NAMESPACES = "namespaces"
ISOLATIONS = (NAMESPACES, BWRAP, RESTRICTED, PROCESS)  # the strictest first
FORKED = (NAMESPACES, RESTRICTED)  # from a process that has imported the submission's frameworks
TRUSTED_ONLY = (RESTRICTED, PROCESS)  # that no class run takes unless it is asked for by name


class Process(Protocol):
    """A worker's process, as far as the judge asks about it."""

    def poll(self) -> int | None:
        """Return the exit status (negative: a signal), or None while it runs."""
        ...

    def wait(self, timeout_s: float, /) -> int:
        """Wait for the exit status, or raise subprocess.TimeoutExpired."""
        ...


class Watch(Protocol):
    """Something that looks at a box now and then."""

    def stop(self) -> None:
        """End the watch."""
        ...

    def limit_cpu(self, max_cpu_s: float, on_excess: Callable[[], None]) -> None:
        """Have `on_excess` called when all its processes together have used more processor time."""
        ...

    def taken(self) -> plain.Taken:
        """Return what its processes have taken so far."""
        ...


class Evidence(NamedTuple):
    """What is known of a box's end besides its exit status; from the kernel and from us, never from the box."""

    broken: str = ""  # it could not be made or kept, through no fault of the student's: why
    memory_exceeded: bool = False
    refused: tuple[str, ...] = ()  # telling system calls that were refused since it was last asked, by name
    disk_exceeded: bool = False


class Started(Protocol):
    """A box that has been started."""

    isolation: str
    channel: Channel
    output: IO[bytes]

    @property
    def process(self) -> Process:
        """The worker."""
        ...

    def kill(self) -> None:
        """Kill everything in it; it may have ended already."""
        ...

    def end(self) -> None:
        """Kill everything in it, wait until it is gone, and remove what was made for it."""
        ...

    def evidence(self) -> Evidence:
        """Return what is known of its end."""
        ...

    def room(self) -> Room | None:
        """Return what its files take now, or took at its end; None where nothing bounds that."""
        ...

    def members(self) -> list[psutil.Process]:
        """Return the processes in it."""
        ...

    def dataset_folder(self, name: str) -> str:
        """Return where the worker finds the files of a dataset that is mounted."""
        ...

    def watch_memory(self, max_bytes: int, on_excess: Callable[[], None]) -> Watch:
        """Have `on_excess` called, once, when everything in it together takes more memory."""
        ...


def start(spec: BoxSpec) -> Started:
    """Start a box and return at once.

    Raises:
        OSError: this system can't make one of that isolation.
    """
    if spec.isolation == PROCESS:
        cpu_only, gpus = spec.device == "cpu", spec.grant.visible
        running = plain.spawn(spec.python, threads=spec.limits.threads, cpu_only=cpu_only, gpus=gpus)
        return _PlainBox(running, spec.datasets)
    if sys.platform != "linux" or spec.isolation not in ISOLATIONS:
        raise OSError(f"no isolation called {spec.isolation}")
    # Each by itself: an import takes longer than a fork.
    if spec.isolation == BWRAP:
        from autograder.box import bwrap

        return bwrap.start(spec)
    if spec.isolation == RESTRICTED:
        from autograder.box import restricted

        return restricted.start(spec)
    from autograder.box import sealed

    return sealed.start(spec)


class _PlainBox:
    """The plain backend's functions as an object."""

    isolation = PROCESS

    def __init__(self, running: plain.Running, datasets: Mapping[str, Path]) -> None:
        self._running, self._datasets = running, datasets
        self.channel, self.output = running.channel, running.output

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self._running.process

    def kill(self) -> None:
        plain.kill(self._running)

    def end(self) -> None:
        plain.end(self._running)

    def evidence(self) -> Evidence:
        return Evidence()

    def room(self) -> None:
        return None

    def members(self) -> list[psutil.Process]:
        return plain.process_tree(self._running.process.pid)

    def dataset_folder(self, name: str) -> str:
        return str(self._datasets[name])  # this backend hides no files

    def watch_memory(self, max_bytes: int, on_excess: Callable[[], None]) -> plain.MemoryWatch:
        return plain.MemoryWatch(self._running.process.pid, max_bytes, on_excess)
