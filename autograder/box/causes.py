"""Why a box ended, by evidence alone: our clocks and counters, its exit status, what its files take."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from autograder.box.protocol import BROKEN, CHANNEL_LOST
from autograder.limits import MB, Limits
from autograder.results import Status

if TYPE_CHECKING:
    from autograder.box.backends import Evidence
    from autograder.box.init import Room

_WINDOWS_EXCEPTION = 0xC0000000  # exit statuses from here on are NTSTATUS errors, such as an access violation
_FULL = 0.98  # of the disk: the last write that does not fit leaves a little
_NO_ROOM = {"SIGBUS", "SIGABRT"}  # a mapped file that has no room; a C++ exception that nobody caught


class Cause(NamedTuple):
    """Why a box is dead: evidence only (our clocks and counters, the exit status)."""

    status: Status
    kind: str  # wall, training, import_wall, attempt, cpu, memory, output, disk, files, answer, call, signal, exit, …
    detail: str = ""  # the limit: seconds, MiB, a number; the signal's name, the exit status
    used: str = ""  # of what the limit is about, where that is known


class Deadline(NamedTuple):
    """How long may be waited, and what is told where that was too short."""

    left_s: float
    kind: str
    limit_s: float  # what the student is told: of an attempt, the whole

    @property
    def cause(self) -> Cause:
        """Why the box is dead, where it was killed at this deadline."""
        return Cause(Status.TIMEOUT, self.kind, f"{self.limit_s:g}")


def within(limit_s: float, kind: str = "wall") -> Deadline:
    """Return the deadline of something that may take so long from now."""
    return Deadline(limit_s, kind, limit_s)


class BoxDied(Exception):
    """The box ended during a request, or had ended before."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(f"{cause.kind} {cause.detail}")
        self.cause = cause


def megabytes(size: int) -> str:
    """Return a size in MB as it is told."""
    return f"{size / MB:.0f}" if size >= 10 * MB else f"{size / MB:.1f}"


def full_files(room: Room | None, limits: Limits) -> Cause | None:
    """Return which limit on files is used up; None where there is room, or nothing is known."""
    if room is None:
        return None
    if room.files >= limits.files:
        return Cause(Status.OUTPUT, "files", str(limits.files), str(room.files))
    if room.disk_bytes >= limits.room_mb * MB * _FULL:
        return Cause(Status.OUTPUT, "disk", str(limits.room_mb), megabytes(room.disk_bytes))
    return None


def cause_of_end(status: int, evidence: Evidence, room: Callable[[], Room | None], limits: Limits) -> Cause:
    """Return why a box ended that we did not end.

    Args:
        status: the worker's exit status.
        evidence: what else is known.
        room: gives what its files took; asked only where that may be why.
        limits: the box's.
    """
    if evidence.broken:
        return Cause(Status.INTERNAL, "seal", evidence.broken)
    if evidence.memory_exceeded:
        return Cause(Status.MEMORY, "memory", str(limits.memory_mb))
    cause = Cause(Status.OUTPUT, "depth") if evidence.disk_exceeded else cause_of_exit(status)
    if (evidence.disk_exceeded or cause.detail in _NO_ROOM) and (full := full_files(room(), limits)):
        return full
    if cause.kind == "cpu":
        return cause._replace(detail=str(limits.cpu_s))
    if cause.kind == "file":
        return cause._replace(detail=str(limits.file_mb))
    return cause


def cause_of_exit(status: int) -> Cause:
    """Return what an exit status says; negative is a signal."""
    """Return what an exit status says; negative is a signal."""
    if status == CHANNEL_LOST:
        return Cause(Status.CRASHED, "protocol", "closed its channel")
    if status == BROKEN:
        return Cause(Status.CRASHED, "broken")
    if status >= _WINDOWS_EXCEPTION:
        return Cause(Status.CRASHED, "signal", hex(status))
    return Cause(Status.CRASHED, "exit", str(status)) if status >= 0 else _cause_of_signal(-status)


def _cause_of_signal(number: int) -> Cause:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    if name == "SIGXCPU":
        return Cause(Status.TIMEOUT, "cpu")
    if name == "SIGXFSZ":
        return Cause(Status.OUTPUT, "file")
    if name == "SIGSYS":  # the filter's answer to calls of another machine's kind
        return Cause(Status.FORBIDDEN, "call")
    return Cause(Status.CRASHED, "signal", name)
