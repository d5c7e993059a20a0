"""The `namespaces` backend, the judge's side: asks zygotes for boxes, and knows how each box ended.

What a box is and goes through: `zygote` and `seal`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import psutil

from autograder.box import init, mounted, plain, seal
from autograder.box.backends import NAMESPACES, RESTRICTED, Evidence
from autograder.box.channel import Channel, offer_pair
from autograder.box.linux import cgroup, syscalls
from autograder.box.linux.rlimits import MOST_THREADS
from autograder.box.seal import Layer, SealRequest
from autograder.box.spec import BoxSpec
from autograder.box.zygote import receive
from autograder.box.zygotes import Key, Zygote, ZygoteGone, zygote_for
from autograder.limits import MB, Limits

_GONE_S = 10.0  # a tree of processes that has been killed needs a quarter of a second where it is large
_ANSWER_S = 5.0  # at most: init does next to nothing else, but on a machine that is busy it has to be given a core
_ENDING_S = 0.5  # from a zygote's end to that of the process that waits for it
_GROUP_SLACK_BYTES = 16 * MB  # init (2.5 MB), page tables, sockets, what the kernel keeps for the box
_KILLED = -int(signal.SIGKILL)


class Forker(Protocol):
    """Where a box comes from: a zygote, or a program that makes one."""

    def fork(self, request: SealRequest, descriptors: list[int]) -> None:
        """Ask for a box; what comes of it is told on the status socket among the descriptors."""
        ...

    def ends_within(self, timeout_s: float) -> bool:
        """Whether it has ended, or does so soon."""
        ...

    def last_words(self) -> str:
        """Return the end of what it wrote to its stderr."""
        ...


class Kind(NamedTuple):
    """Boxes of one kind are as good as each other, until they are given a submission."""

    key: Key
    request: SealRequest
    dataset_files: tuple[Path, ...] = ()


def start(spec: BoxSpec, without: tuple[Layer, ...] = ()) -> SealedBox:
    """Start a sealed box and return at once.

    Args:
        spec: what it is for.
        without: layers to leave out; for the tests that show what each is good for.
    """
    return fork(kind_of(spec, without))


def kind_of(spec: BoxSpec, without: tuple[Layer, ...] = ()) -> Kind:
    """Return which boxes are good for a submission."""
    numbers = tuple(number for number, known in enumerate(mounted.KNOWN) if known.name in spec.datasets)
    files = tuple(spec.datasets[mounted.KNOWN[one].name] / f"{file}.gz" for one in numbers for file in mounted.FILES)
    return Kind(key_for(spec), request_for(spec.limits, without, numbers, spec.grant.visible), files)


def fork(kind: Kind, zygote: Zygote | None = None) -> SealedBox:
    """Start a box and return at once; by this process's own zygote of that kind, where no other is given."""
    with contextlib.ExitStack() as opened:
        # Opened here, for the box's user may not; a descriptor is all that leaves this process.
        files = [opened.enter_context(path.open("rb")).fileno() for path in kind.dataset_files]
        forker = zygote or zygote_for(kind.key)
        dataset_bytes = sum(os.fstat(file).st_size for file in files)
        group = make_group(kind.request.memory_bytes, kind.request.processes, dataset_bytes)
        return SealedBox(forker, kind.request, group, files)


def key_for(spec: BoxSpec, isolation: str = NAMESPACES) -> Key:
    """Return which zygote a box is forked from."""
    frameworks, threads, cpu_only = spec.frameworks, spec.limits.threads, spec.device == "cpu"
    if isolation == RESTRICTED:  # no other Python, no GPU
        return Key(frameworks, threads, cpu_only, isolation)
    return Key(frameworks, threads, cpu_only, isolation, spec.python, spec.grant.nodes)


def make_group(memory_bytes: int, processes: int, dataset_bytes: int = 0) -> cgroup.Group | None:
    """Return a control group for a box; None where none can be made, which the probe has told.

    Args:
        memory_bytes: the box's limit.
        processes: that it may start.
        dataset_bytes: what lies in it of datasets, which are memory, too, but not the student's.
    """
    # Somewhat more than one process by itself may take: that gives a MemoryError, which says where; a group only kills.
    caps = cgroup.Caps(memory_bytes * 9 // 8 + dataset_bytes + _GROUP_SLACK_BYTES, MOST_THREADS + processes)
    try:
        return cgroup.Group(cgroup.places(), caps)
    except OSError:
        return None


def request_for(
    limits: Limits, without: tuple[Layer, ...], datasets: tuple[int, ...] = (), gpus: str = ""
) -> SealRequest:
    """Return the limits as the zygote is told them."""
    return SealRequest(
        threads=limits.threads,
        memory_bytes=limits.memory_mb * MB,
        cpu_s=limits.cpu_s,
        file_bytes=limits.file_mb * MB,
        disk_bytes=limits.room_mb * MB,
        files=limits.files,
        processes=limits.processes,
        gpus=gpus,
        datasets=datasets,
        without=without,
    )


class SealedBox:
    """One box, from the request to its end."""

    isolation = NAMESPACES

    def __init__(
        self, zygote: Forker, request: SealRequest, group: cgroup.Group | None, files: Sequence[int] = ()
    ) -> None:
        self._group = group
        self._processes = request.processes
        joined = group.descriptors if group else []
        ours, theirs = offer_pair().pair or (None, None)
        if ours is None or theirs is None:
            raise OSError("no pair of sockets")
        output_read, output_write = os.pipe()
        status_ours, status_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel = Channel(ours)
        self.output: IO[bytes] = os.fdopen(output_read, "rb", buffering=0)
        self.process = SealedProcess(status_ours, zygote)
        try:
            zygote.fork(request, [theirs.fileno(), output_write, status_theirs.fileno(), *files, *joined])
        except ZygoteGone as error:
            self.process.fail(str(error))
        finally:
            theirs.close()
            os.close(output_write)
            status_theirs.close()
            if group:
                group.let_go()

    def kill(self) -> None:
        """Kill the box's init, and with it everything in its pid namespace."""
        self.process.kill()

    def end(self) -> None:
        """Kill everything in it and wait until it is gone. Its scratch folder goes with its mount namespace."""
        self.process.kill()
        self.channel.close()
        self.process.close()
        if self._group:
            self._group.close()

    def let_go(self) -> None:
        """Close this process's copies of all that is open: one that was forked from it has the box.

        Its group stays this one's to remove, whose name it bears.
        """
        self.channel.let_go()
        self.output.close()
        self.process.let_go()
        if self._group:
            self._group.let_go_of_files()

    def remove_group(self) -> None:
        """Remove its control group, if that is still there: whoever had the box may have been killed."""
        if self._group:
            self._group.close()

    def evidence(self) -> Evidence:
        """Return what is known of its end."""
        exceeded = self._group is not None and self._group.memory_exceeded()
        refused = self.process.take_refused()
        return Evidence(
            broken=self.process.broken or self.process.unanswered(), memory_exceeded=exceeded, refused=refused
        )

    def room(self) -> init.Room | None:
        """Return what its files take, as their file system tells it from outside."""
        return self.process.room()

    def members(self) -> list[psutil.Process]:
        """Return the processes in it."""
        return self.process.members()

    def dataset_folder(self, name: str) -> str:
        """Return where the worker finds the files of a dataset."""
        return f"{mounted.DATASETS}/{name}"

    def watch_memory(self, max_bytes: int, on_excess: Callable[[], None]) -> SealedMemoryWatch:
        """Have `on_excess` called when everything in it together takes more memory."""
        # Where a group bounds one process by itself, that process is what the kernel ends, and with it the channel: the
        # judge need not look, which in a class run would cost more than the checks.
        alone = self._group is None or self._processes > 0
        return SealedMemoryWatch(self.process, self._group, max_bytes, on_excess, alone=alone)


class SealedProcess:
    """How a box's worker ended: from init, by the status socket, and from the kernel, by init's pidfd.

    Asked from the judge's thread and from the two that watch.
    """

    def __init__(self, status: socket.socket, zygote: Forker) -> None:
        self._status = status
        self._zygote = zygote
        self._lock = threading.RLock()
        self._pidfd: int | None = None
        self._exit: int | None = None
        self._killed = False  # by us
        self._refused: list[str] = []
        self._room: init.Room | None = None
        self.broken = ""

    def poll(self) -> int | None:
        """Return the exit status (negative: a signal), or None while the worker runs."""
        with self._lock:
            self._take_all()
            return self._exit

    def wait(self, timeout_s: float) -> int:
        """Wait for the exit status, or raise subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._lock:
                if self._exit is not None:
                    return self._exit
                self._take(0)
            left_s = deadline - time.monotonic()
            if self._exit is None and not _readable(self._status.fileno(), left_s):
                raise subprocess.TimeoutExpired(["box"], timeout_s)

    def unanswered(self) -> str:
        """Return that the zygote has not forked the box yet, where that is so: whatever is waited for, it is not it."""
        with self._lock:
            self.poll()
            return "" if self._pidfd is not None or self._exit is not None else "the zygote has not answered yet"

    def take_refused(self) -> tuple[str, ...]:
        """Return the names of the calls refused since the last time, of those that are told of."""
        with self._lock:
            self._take_all()
            taken = tuple(self._refused)
            self._refused.clear()
            if taken and self._exit is None:
                self._say(init.FORGET)
            return taken

    def room(self) -> init.Room | None:
        """Return what the box's files take now, or took when the worker ended; None where that can't be had."""
        with self._lock:
            self._take_all()
            if self._exit is None:
                self._room = None
                self._say(init.ASK)
                deadline = time.monotonic() + _ANSWER_S
                while self._room is None and self._exit is None and self._take(deadline - time.monotonic()):
                    pass
            return self._room

    def _say(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # init has ended
            self._status.send(message, socket.MSG_DONTWAIT)

    def _take_all(self) -> None:
        while self._exit is None and self._take(0):
            pass

    def fail(self, why: str) -> None:
        """Note that the box could not be made."""
        self.broken, self._exit = self.broken or why, _KILLED

    def kill(self) -> None:
        """Kill init. One that is not forked yet is killed by the zygote, which finds the status socket closed."""
        with self._lock:
            self._killed = True
            while self._pidfd is None and self._exit is None and self._take(0):
                pass
            if self._pidfd is None and self._exit is None:
                self._status.shutdown(socket.SHUT_RDWR)
                # SECURITY: the pidfd may have come between the last look and the shutdown; nothing comes after it.
                while self._pidfd is None and self._exit is None:
                    self._take(0)
            if self._pidfd is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Wait until everything in the box is gone, and close what is open."""
        with self._lock:
            if self._pidfd is not None:
                _readable(self._pidfd, _GONE_S)
                os.close(self._pidfd)
                self._pidfd = None
            self._exit = _KILLED if self._exit is None else self._exit
            self._status.close()

    def let_go(self) -> None:
        """Close this process's copies of what is open; another one has it."""
        with self._lock:
            if self._pidfd is not None:
                os.close(self._pidfd)
                self._pidfd = None
            self._status.close()

    def belong_to(self, zygote: Forker) -> None:
        """Ask this one from now on whether the zygote lives."""
        self._zygote = zygote

    def members(self) -> list[psutil.Process]:
        """Return the processes in the box; every orphan in it is init's child."""
        with self._lock:
            self.poll()
            if self._pidfd is None or self._exit is not None:
                return []
            fields = dict(
                line.split(":", 1) for line in Path(f"/proc/self/fdinfo/{self._pidfd}").read_text().splitlines()
            )
        pid = int(fields["Pid"])
        return plain.family_of(pid) if pid > 0 else []

    def _take(self, timeout_s: float) -> bool:
        """Take one message, if there is one in time; return whether there was."""
        if self._status.fileno() < 0 or not _readable(self._status.fileno(), timeout_s):
            return False
        message, descriptors = receive(self._status)
        kind, content = message[:1], message[1:]
        if kind == seal.STARTED and descriptors:
            self._pidfd = descriptors[0]
        elif kind == init.EXITED:
            self._exit, self._room = init.unpack_exit(content)
        elif kind == init.USAGE:
            self._room = init.unpack_usage(content)
        elif kind == init.REFUSED:
            self._refused.append(syscalls.name_of(*init.NUMBER.unpack(content)))
        elif kind == seal.BROKEN:
            self.fail(content.decode(errors="replace"))
        elif not message:  # init was killed: by us, or by the system; or the zygote is gone
            if not self._killed and self._zygote.ends_within(_ENDING_S):
                self.fail(f"the zygote ended: {self._zygote.last_words()}")
            self._exit = _KILLED
        return True


class SealedMemoryWatch(plain.MemoryWatch):
    """Ends a box whose group had to end one of its processes; without a group, adds up the memory of all of them."""

    def __init__(
        self,
        process: SealedProcess,
        group: cgroup.Group | None,
        max_bytes: int,
        on_excess: Callable[[], None],
        *,
        alone: bool = True,
    ) -> None:
        self._process = process
        self._group = group
        super().__init__(0, max_bytes, on_excess, alone=alone)

    def _exceeded(self) -> bool:
        return self._group.memory_exceeded() if self._group else super()._exceeded()

    def taken(self) -> plain.Taken:
        """Return what the box has taken; its group, where there is one, knows the most that its memory was."""
        taken = super().taken()
        return taken._replace(memory_bytes=self._group.memory_peak()) if self._group else taken

    def _members(self) -> list[psutil.Process]:
        return self._process.members()


def _readable(descriptor: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(timeout_s, 0) * 1000))
