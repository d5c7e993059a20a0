"""The zygote: a process with a framework imported, from which boxes are forked. Jailed before it imports anything.

    judge ──── control socket: requests (numbers) with descriptors ────▶ zygote ── fork ──▶ init of a box ──▶ worker
      ▲  ◀──────────── status socket, one a box: pidfd from the zygote, exit status from init ──┘
      └─────────────── channel, one a box: the submission, calls, values ◀─────────────────────────────────▶ worker

1. The judge starts `python -c … zygote` with a clean environment and a socket, and sends `Begin`.
2. The launcher enters new namespaces (user, mount, pid, network, ipc, host name, cgroup), forks the zygote as pid 1 of
   the new pid namespace and waits for it. Root builds the new root before it gives up its rights, for Python may be
   installed where an ordinary user can't go; an ordinary user builds it inside the user namespace, and so does a
   container's root, who may not mount outside of one.
3. The zygote imports, warms up, and answers each `SealRequest` by a fork: new pid namespace, then `seal.enter`.
   A worker to which nothing has been sent by then is a spare (`spares`): it rehearses, and waits.
4. When the judge that asked for a box is gone, that box's status socket ends, and the zygote kills it.
5. When all judges are gone the control socket ends, the zygote exits, and with pid 1 the kernel ends every box.

SECURITY: whatever is in this process's memory, every box can read, and what is freed is still there. So: a clean
environment and command line, requests of numbers only, no module of the judge's, and never a byte of a submission; it
goes through the channel straight to the worker. Only one thread may exist at a fork, asserted each time: a lock held by
another would stay locked in the child for ever.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import os
import platform
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import msgspec

from autograder.box import seal, worker
from autograder.box.channel import Channel
from autograder.box.linux import capabilities, hugepages, mounts, namespaces, syscalls
from autograder.box.linux.namespaces import Namespace
from autograder.box.linux.python import needed_folders
from autograder.box.own_limits import limit_self
from autograder.box.rehearsal import rehearse
from autograder.box.seal import Descriptors, Prepared, SealRequest

MAX_MESSAGE_BYTES = 4096
_MOST_DESCRIPTORS = 32
STAGE = "/tmp"  # noqa: S108 - only a place that exists, to mount on in a namespace of our own
_SMALL = mounts.Quota(4 << 20, 256)  # tensorflow asks for a temporary folder when it is imported


class Begin(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a zygote imports, in this order, and the threads that its boxes compute with."""

    frameworks: list[str]
    threads: int
    scratch: str = ""  # without namespaces: the folder that all scratch folders are in
    nodes: list[tuple[str, str]] = []  # devices of granted GPUs: where they are, their name in the box's /dev
    many: bool = False  # boxes are to come, so that cheap forks are worth half a second of work


def main() -> None:
    """Take up the control socket, and serve until it ends."""
    control = socket.socket(fileno=int(sys.argv.pop()))
    control.set_inheritable(False)
    begin = msgspec.msgpack.decode(control.recv(MAX_MESSAGE_BYTES), type=Begin)
    folders = needed_folders([Path(__file__).resolve().parents[1], Path(msgspec.__file__).parent])
    enter_jail(mounts.RootPlan(STAGE, folders, tuple(begin.nodes)), control)
    import_and_warm(begin)
    prepared = seal.prepare(folders, tuple(name for _, name in begin.nodes))
    prepared = prepared._replace(set_threads=seal.thread_setters())
    Zygote(control, prepared, begin.frameworks).serve()


# --- the jail -------------------------------------------------------------------------------------------------------


def enter_jail(plan: mounts.RootPlan, control: socket.socket) -> None:
    """Return in a new process that is pid 1 of its own namespaces and sees its own root; the old one waits for it."""
    leave = Leaving(plan)
    leave.give_up_rights()
    leave.take_namespaces()
    zygote = os.fork()
    if zygote:
        control.close()
        _, status = os.waitpid(zygote, 0)
        os._exit(1 if status else 0)
    syscalls.die_with_parent()
    leave.settle()
    # SECURITY: Python remembers this machine's name from whichever import asked for it first.
    vars(platform)["_uname_cache"] = None
    os.chdir(mounts.SCRATCH / "work")


class Leaving:
    """The parts of leaving the machine, in their order; between the last two is the fork that makes pid 1.

    Args:
        plan: of the root to be in afterwards.
        at: told what comes next, "namespaces" or "root"; for whoever wants to know what a system refuses.
    """

    def __init__(self, plan: mounts.RootPlan, at: Callable[[str], None] = lambda _: None) -> None:
        self._plan = plan
        self._at = at
        self._has_root = False

    def give_up_rights(self) -> None:
        """Become an ordinary user, after having built the root: what it is built from may be closed to all others.

        A container's root may not mount (Docker leaves it few rights). It builds the root as an ordinary user does.
        """
        if os.getuid() != 0:
            return
        user = namespaces.unused_id()
        if capabilities.holds(capabilities.SYS_ADMIN):
            self._at("namespaces")
            namespaces.unshare(Namespace.MOUNT)
            self._at("root")
            mounts.build_root(self._plan)
            self._has_root = True
        self._at("namespaces")
        namespaces.become(user)

    def take_namespaces(self) -> None:
        """Move into new namespaces of all kinds."""
        self._at("namespaces")
        outside = namespaces.own_ids()
        namespaces.unshare(Namespace.USER | Namespace.PID | namespaces.ALL)
        proc_self = namespaces.open_proc_self()
        namespaces.map_ids(outside, proc_self)
        os.close(proc_self)

    def settle(self) -> None:
        """Mount what pid 1 and its children will see."""
        self._at("root")
        if not self._has_root:
            mounts.build_root(self._plan)
        mounts.mount_proc(read_only=False)
        mounts.mount_scratch(_SMALL)
        namespaces.name_host()


# --- imports --------------------------------------------------------------------------------------------------------


def import_and_warm(begin: Begin) -> None:
    """Import what the boxes will need, and take the first steps that are slow and the same for all."""
    fork_only()
    for name in begin.frameworks:
        # Broad: what a broken installation raises at import is anybody's guess; the student's own import will say it.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for name in ("numpy.random", "numpy.linalg", "numpy.fft"):  # imported by numpy when they are first used: 20 ms
        importlib.import_module(name)
    if "torch" in sys.modules:
        warm_torch(begin.threads)
    worker.set_up(begin.frameworks)
    if not begin.nodes:  # it asks for devices, and tensorflow remembers what it finds
        rehearse(begin.frameworks)
    platform.platform()  # remembered: it reads the whole interpreter for the version of libc
    # Objects that are here to stay are not looked at again: the collector's marks would copy every page in every box.
    gc.collect()
    gc.freeze()
    if begin.many:
        hugepages.gather()


def fork_only() -> None:
    """Have multiprocessing start no program of its own, for a box can't: neither processes by spawn nor its tracker.

    The tracker removes shared memory that is left over; here the box's end does. Asked for another way to start
    processes than by fork (newer Pythons do so by default), it forks.
    """
    context: Any = importlib.import_module("multiprocessing.context")
    tracker: Any = importlib.import_module("multiprocessing.resource_tracker")
    tracker.ResourceTracker._send = lambda *_: None  # noqa: SLF001 - it has no switch
    contexts = vars(context)["_concrete_contexts"]
    contexts.update(dict.fromkeys(("spawn", "forkserver"), contexts["fork"]))
    vars(vars(context)["_default_context"])["_default_context"] = contexts["fork"]


def warm_torch(threads: int) -> None:
    """Take one training step with one thread.

    The first optimizer imports half of torch (0.9 s), and the first product of matrices asks for the processor, by
    /proc/cpuinfo, and chooses its kernels by it: where that file were missing, the bits would be others. One thread:
    a parallel operation would leave a pool of threads behind, on which the forked processes wait for ever.
    """
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for optimizer in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        layer = torch.nn.Linear(4, 4)
        stepped = optimizer(layer.parameters(), lr=0.1)
        labels = torch.zeros(2, dtype=torch.long)
        torch.nn.functional.cross_entropy(layer(torch.ones(2, 4)), labels).backward()
        stepped.step()
    product = torch.randn(300, 300)
    (product @ product).sum()
    torch.set_num_threads(threads)  # starts none; they come with the first parallel operation


# --- serving --------------------------------------------------------------------------------------------------------


class _Box(NamedTuple):
    init: int  # its pid
    status: int  # our copy of the socket that its judge has the other end of


class Zygote:
    """Forks boxes until the judge closes the control socket.

    Args:
        control: requests come from it.
        prepared: what boxes are sealed by.
        frameworks: those that it has imported.
    """

    def __init__(self, control: socket.socket, prepared: Prepared, frameworks: list[str]) -> None:
        self._control = control
        self._prepared = prepared
        self._frameworks = frameworks
        self._own_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._boxes: dict[int, _Box] = {}  # by a pidfd of its init
        self._judges: dict[int, int] = {}  # that pidfd by the status socket: the judge's life
        self._poll = select.poll()

    def serve(self) -> NoReturn:
        """Answer requests, and reap what has ended."""
        self._poll.register(self._control, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._control.fileno():
                    self._answer()
                elif descriptor in self._boxes:
                    self._reap(descriptor)
                elif descriptor in self._judges:  # not of a box that was reaped a moment ago
                    self._kill(descriptor)

    def _answer(self) -> None:
        message, descriptors = receive(self._control)
        if not message:
            os._exit(0)
        try:
            request = msgspec.msgpack.decode(message, type=SealRequest)
            self._fork(request, Descriptors.of(request, descriptors))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(self, request: SealRequest, descriptors: Descriptors) -> None:
        if (threads := seal.thread_count()) != 1:
            refuse(descriptors.status, f"{threads} threads before a fork")
            return
        if request.gpus and (touched := touched_gpu()):
            refuse(descriptors.status, f"a GPU in use before a fork: {touched}")
            return
        # Back into the own namespace first: a process that has unshared once can't do so again.
        namespaces.enter(self._own_namespace, Namespace.PID)
        namespaces.unshare(Namespace.PID)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = syscalls.fork_bare()  # init, which forks the worker by os.fork
        if pid == 0:
            self._become_box(request, descriptors)
        self._watch(pid, descriptors)

    def _watch(self, pid: int, descriptors: Descriptors) -> int:
        """Tell the judge of a new box, and note its pidfd, which is returned."""
        pidfd = os.pidfd_open(pid)
        status = os.dup(descriptors.status)
        self._boxes[pidfd], self._judges[status] = _Box(pid, status), pidfd
        self._poll.register(pidfd, select.POLLIN)
        # SECURITY: one zygote serves many judges. A box whose judge was killed would run on, for the student's code
        # need not look at its channel. No events but the end of the other side, which is always told.
        self._poll.register(status, 0)
        try:
            send_descriptor(status, seal.STARTED, pidfd)
        except OSError:  # the judge has given it up
            os.kill(pid, signal.SIGKILL)
        return pidfd

    def _become_box(self, request: SealRequest, descriptors: Descriptors) -> NoReturn:
        try:
            self._control.detach()  # its number is about to be another's, which it must not close
            self._enter(request, descriptors)
            work(request, self._frameworks, is_set_up=True)
        finally:
            os._exit(seal.SETUP_FAILED)  # whatever happens: there is one zygote

    def _enter(self, request: SealRequest, descriptors: Descriptors) -> None:
        seal.enter(request, descriptors, self._prepared)

    def _kill(self, status: int) -> None:
        """The judge has gone, or has closed the box: end it. It is reaped when its pidfd says so."""
        self._poll.unregister(status)
        os.kill(self._boxes[self._judges[status]].init, signal.SIGKILL)

    def _reap(self, pidfd: int) -> None:
        box = self._boxes.pop(pidfd)
        _, status = os.waitpid(box.init, 0)
        self._ended(pidfd, status)
        del self._judges[box.status]
        for descriptor in (pidfd, box.status):
            with contextlib.suppress(KeyError):
                self._poll.unregister(descriptor)
            os.close(descriptor)

    def _ended(self, pidfd: int, status: int) -> None:
        """A box has ended. Of its worker init has told; what became of init says nothing more."""


def touched_gpu(dev: str = "/dev") -> str:
    """Return by what this process has begun to use a GPU; empty where it has not.

    Why: CUDA does not survive a fork. Once asked for as much as the number of GPUs, it fails in every child.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "torch"
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them is closed by now
            if (path := os.readlink(descriptor)).startswith(f"{dev}/nvidia"):  # noqa: PTH115 - text is all that is wanted
                return path
    return ""


def work(request: SealRequest, frameworks: list[str], *, is_set_up: bool = False) -> NoReturn:
    """Serve as the worker, in a process that is sealed.

    Args:
        request: the limits.
        frameworks: those that are imported here.
        is_set_up: `worker.set_up` has been called before the fork.
    """
    channel = Channel(socket.socket(fileno=seal.CHANNEL))
    # New ones, as in a fresh process: those of the zygote take what is there now for the seekable file that was.
    for name, descriptor in (("stdout", seal.OUTPUT), ("stderr", seal.ERRORS)):
        stream = open(descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as Python opens them
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    if is_set_up:
        limit_self(request)
        if not request.gpus and not select.select([seal.CHANNEL], [], [], 0)[0]:  # a spare: nobody waits for it yet
            rehearse(frameworks)
    worker.serve(lambda: channel, is_set_up=is_set_up)


def receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Return a message and the descriptors that came with it."""
    numbers = array.array("i")
    room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * numbers.itemsize)
    # SECURITY: in a judge these are other boxes' and the zygote's; no program that a check starts is to inherit them.
    how = (MAX_MESSAGE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    try:
        message, ancillary, _, _ = sock.recvmsg(*how)
    except ConnectionResetError:
        # The other side has ended, and has not read everything from here. The kernel tells so once, and tells it before
        # what the other side said: how a box ended is still to be read.
        message, ancillary, _, _ = sock.recvmsg(*how)
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    return message, list(numbers)


def refuse(status: int, why: str) -> None:
    """Tell a judge that there will be no box.

    Why so careful: the judge may be gone, and the zygote must not end with it: others have boxes here.
    """
    with contextlib.suppress(OSError):
        os.write(status, seal.BROKEN + why.encode())


def send_descriptor(sock: int, message: bytes, descriptor: int) -> None:
    """Send a message with a descriptor, or raise OSError where nobody can receive it any more."""
    with socket.socket(fileno=os.dup(sock)) as status:
        socket.send_fds(status, [message], [descriptor])


if __name__ == "__main__":
    main()
