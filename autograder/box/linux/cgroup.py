"""Control groups: what all processes of a box may take together. Made by the judge, from outside; joined from inside.

The only hard bound on memory: rlimits count each process by itself and shared memory not at all. Two interfaces:
version 1 has a tree of folders for each controller, version 2 one for all. Both need a folder that this user may write
to: root's, or one that was delegated.

Processes are counted here in version 2 only, where that is free: another tree is another folder to make and remove for
each box, and the limit on processes of the box's own user namespace does the same.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PREFIX = "grade-box"
_RETRIES, _RETRY_S = 50, 0.01  # a group is empty a moment after its last process has ended
# A process with one thread joins by either file. To move all threads at once, as cgroup.procs does, the kernel first
# waits until every processor knows (5 to 10 ms); a thread that moves itself needs no such wait (0.04 ms). Version 2 has
# no file for that outside of threaded groups.
_JOINED_BY = {1: "tasks", 2: "cgroup.procs"}
_COUNTED_IN = {1: "memory.oom_control", 2: "memory.events"}
_COUNTS_BYTES = 4096


class Caps(NamedTuple):
    """What the processes of a group may have together."""

    memory_bytes: int
    processes: int


class Place(NamedTuple):
    """A folder that groups can be made in, and what it controls."""

    folder: Path
    controllers: tuple[str, ...]
    version: int


class Group:
    """One group: a folder in each place.

    Args:
        places: where to make it.
        caps: its limits.
    """

    def __init__(self, places: tuple[Place, ...], caps: Caps) -> None:
        # SECURITY: a box reads its group's name in /proc; a number would tell it whether it is a hidden check's.
        self._name = f"{_PREFIX}-{os.getpid()}-{started(os.getpid())}-{secrets.token_hex(8)}"
        self._folders: list[tuple[Path, Place]] = []
        self._asking = threading.Lock()
        self._ended: int | None = None  # a descriptor of the file that counts whom the kernel has ended
        self.descriptors: list[int] = []  # of the files that a process joins by writing a zero to them
        try:
            for place in places:
                folder = place.folder / self._name
                folder.mkdir()
                self._folders.append((folder, place))
                for name, value in _settings(place, caps):
                    (folder / name).write_text(value)
                self.descriptors.append(os.open(folder / _JOINED_BY[place.version], os.O_WRONLY | os.O_CLOEXEC))
                if "memory" in place.controllers:
                    self._ended = os.open(folder / _COUNTED_IN[place.version], os.O_RDONLY | os.O_CLOEXEC)
        except BaseException:
            self.close()
            raise

    def memory_exceeded(self) -> bool:
        """Whether the kernel has ended a process of the group for lack of memory within its limit."""
        # Asked after each call and each check: to open the file for it would take longer than all the rest. Locked, for
        # a thread may ask while the group is closed, and a descriptor's number is soon another file's.
        with self._asking:
            if self._ended is None:
                return False
            return counter(os.pread(self._ended, _COUNTS_BYTES, 0).decode(), "oom_kill") > 0

    def memory_peak(self) -> int:
        """Return the most memory that the group had, in bytes; 0 where the kernel does not keep it (before 5.19)."""
        for folder, place in self._folders:
            if "memory" in place.controllers:
                file = folder / ("memory.peak" if place.version == 2 else "memory.max_usage_in_bytes")  # noqa: PLR2004
                with contextlib.suppress(OSError, ValueError):
                    return int(file.read_text())
        return 0

    def let_go(self) -> None:
        """Close the descriptors: nobody will join any more."""
        while self.descriptors:
            os.close(self.descriptors.pop())

    def let_go_of_files(self) -> None:
        """Close every descriptor: another process has it, which will ask."""
        self.let_go()
        with self._asking:
            if self._ended is not None:
                os.close(self._ended)
                self._ended = None

    def close(self) -> None:
        """Remove it; its processes have ended, or are about to."""
        self.let_go_of_files()
        while self._folders:
            _remove(self._folders.pop()[0])


def counter(text: str, name: str) -> int:
    """Return a number of a file of lines of a name and a number; 0 where it is not there."""
    found = (line.split() for line in text.splitlines())
    return next((int(words[1]) for words in found if len(words) == 2 and words[0] == name), 0)  # noqa: PLR2004


def _settings(place: Place, caps: Caps) -> Iterator[tuple[str, str]]:
    """Yield the files of a group and what to write to them, in an order that the kernel accepts."""
    if "memory" in place.controllers:
        if place.version == 1:
            yield "memory.limit_in_bytes", str(caps.memory_bytes)
            if (place.folder / "memory.memsw.limit_in_bytes").exists():  # with swap; never below the one without
                yield "memory.memsw.limit_in_bytes", str(caps.memory_bytes)
        else:
            yield "memory.max", str(caps.memory_bytes)
            if (place.folder / "memory.swap.max").exists():
                yield "memory.swap.max", "0"
    if "pids" in place.controllers:
        yield "pids.max", str(caps.processes)


def _remove(folder: Path) -> None:
    for _ in range(_RETRIES):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(_RETRY_S)
        else:
            return


# --- where ----------------------------------------------------------------------------------------------------------


@cache
def places() -> tuple[Place, ...]:
    """Return where this process can make groups that bound memory.

    Raises:
        OSError: nowhere; the message says why.
    """
    found = find_places(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
    if not any("memory" in place.controllers for place in found):
        raise OSError("no memory controller")
    for place in found:
        if not os.access(place.folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place.folder))
        remove_leftovers(place.folder)
    Group(found, Caps(1 << 28, 16)).close()
    return found


def find_places(own: str, mountinfo: str) -> tuple[Place, ...]:
    """Return this process's groups, with the controllers that count here.

    Args:
        own: the text of /proc/self/cgroup.
        mountinfo: the text of /proc/self/mountinfo.
    """
    mounted = {controller: mount for mount in _mounts(mountinfo) for controller in mount.controllers}
    found: list[Place] = []
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            mount = mounted.get(name)
            if mount is None or name not in {"", "memory"}:
                continue
            folder = mount.folder / path.removeprefix(mount.root.rstrip("/")).lstrip("/")
            if name:
                found.append(Place(folder, ("memory",), 1))
            elif enabled := _enabled(folder):
                found.append(Place(folder, enabled, 2))
    return tuple(found)


class LimitingGroup(NamedTuple):
    """A group that may limit what this process has, its own or one above it."""

    folder: Path
    version: int


def groups_here(controller: str) -> list[LimitingGroup]:
    """Return what `limiting_groups` yields for this process; none where this is no Linux."""
    try:
        own, mountinfo = Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text()
    except OSError:
        return []
    return list(limiting_groups(controller, own, mountinfo))


def limiting_groups(controller: str, own: str, mountinfo: str) -> Iterator[LimitingGroup]:
    """Yield the groups that may limit what this process has, the innermost first; a limit holds for all below it.

    Args:
        controller: what they would limit, "memory" or "cpu".
        own: the text of /proc/self/cgroup.
        mountinfo: the text of /proc/self/mountinfo.
    """
    mounted = {each: mount for mount in _mounts(mountinfo) for each in mount.controllers}
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        name = controller if controller in names.split(",") else names
        if name not in {"", controller} or (mount := mounted.get(name)) is None:
            continue
        folder = mount.folder / path.removeprefix(mount.root.rstrip("/")).lstrip("/")
        for each in (folder, *folder.parents):
            if each.is_relative_to(mount.folder):
                yield LimitingGroup(each, 1 if name else 2)


class _Mount(NamedTuple):
    folder: Path
    root: str
    controllers: tuple[str, ...]


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        root, folder = head.split()[3:5]
        if kind == "cgroup":
            yield _Mount(Path(folder), root, tuple(options.split(",")))
        elif kind == "cgroup2":
            yield _Mount(Path(folder), root, ("",))


def _enabled(folder: Path) -> tuple[str, ...]:
    """Return which controllers the children of a version 2 group have.

    A group with processes in it can't give its children any, so the judge's own process would have to move; that is
    for whoever starts it, and a group prepared for that is used.
    """
    try:
        text = (folder / "cgroup.subtree_control").read_text()
    except OSError:
        return ()
    return tuple(name for name in ("memory", "pids") if name in text.split())


def remove_leftovers(folder: Path) -> None:
    """Remove the groups of judges that were killed.

    By number and start, for numbers are given again: by the number alone what a killed judge has left would stay as
    long as anybody has it. A group with processes in it is never removed; the kernel refuses.
    """
    for group in folder.glob(f"{_PREFIX}-*"):
        owner, _, rest = group.name.removeprefix(f"{_PREFIX}-").partition("-")
        if not owner.isdigit() or started(int(owner)) != rest.partition("-")[0]:
            with contextlib.suppress(OSError):
                group.rmdir()


def started(pid: int) -> str:
    """Return when a process was started, in ticks since the machine was; empty where there is none of that number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return fields[19].decode()
