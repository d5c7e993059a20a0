"""What a sealed box goes through between being forked and the student's first line. Runs inside the box.

One process is forked from the zygote (autograder.box.zygote) into a pid namespace of its own and becomes its init:

    init      keeps five descriptors, its cgroups' and datasets' ─▶ joins the cgroups
              ─▶ own mounts, network, ipc, host name
              ─▶ scratch, datasets, /proc
              ─▶ own user namespace ─▶ no capabilities, no new privileges ─▶ forks the worker
              ─▶ reaps, tells its end
    worker    rlimits ─▶ landlock ─▶ system call filter ─▶ lets go of all but the channel
              ─▶ reads the submission, serves

The order is not free: /proc can be mounted only with rights in the namespace that owns the pid namespace, so before the
own user namespace; that takes every right there was, so before the capabilities go; landlock and the filter forbid what
sets up the others, so they come last, and only then the first byte of the student's is read.

Descriptors: 0 null device, 1 and 2 output pipe, 3 channel (worker), 4 status socket (init; the worker until it serves),
5 the socket by which init gets the filter's listener (init; see there).
SECURITY: what comes on the status socket is evidence, because nothing of the student's has ever had it open.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn, Optional

import msgspec

from autograder.box import init, mounted
from autograder.box.linux import capabilities, forks, landlock, mounts, namespaces, rlimits, seccomp, syscalls
from autograder.box.linux.namespaces import Ids, Namespace
from autograder.box.linux.policy import Profile

NULL, OUTPUT, ERRORS, CHANNEL, STATUS, HANDOVER = range(6)

# Messages on the status socket, by their first byte.
STARTED = b"p"  # from the zygote, with init's pidfd
BROKEN = b"b"  # from any of them: which layer could not be made, in words; init's own are in `init`

SETUP_FAILED = 96  # exit status of whoever could not be sealed; the status socket says why
_MOST_TEXT = 2000


class Layer(str, Enum):  # noqa: UP042 - StrEnum is Python 3.11's
    """What can be left out, for the tests that show what a layer is good for."""

    SCRATCH = "scratch"
    PROC = "proc"
    NETWORK = "network"
    IPC = "ipc"
    HOST_NAME = "host_name"
    USER = "user"
    CAPABILITIES = "capabilities"
    DUMPABLE = "dumpable"
    RLIMITS = "rlimits"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"


class SealRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What the judge asks a zygote for: nothing secret.

    With it come descriptors: channel, output, status, then those of the datasets' files; of a box without namespaces
    the socket that the judge takes its filter's listener from; then cgroups'.
    """

    threads: int
    memory_bytes: int
    cpu_s: int
    file_bytes: int
    disk_bytes: int
    files: int
    processes: int = 0
    gpus: str = ""  # the names by which CUDA sees those that were granted
    datasets: tuple[int, ...] = ()  # by their places in mounted.KNOWN
    # Of a box without namespaces: its scratch folder, which the judge has made, its user id, if it has one of its own,
    # and otherwise how many threads the user may have besides.
    scratch: str = ""
    user: Optional[int] = None  # noqa: UP045 - evaluated, by Python 3.9 too
    tasks: int = 0
    # SECURITY: for tests only; a layer that can't be switched off can't be shown to work.
    without: tuple[Layer, ...] = ()


class Descriptors(NamedTuple):
    """What comes with a request, in its order."""

    channel: int
    output: int
    status: int
    cgroups: tuple[int, ...]
    datasets: tuple[int, ...] = ()

    @classmethod
    def of(cls, request: SealRequest, given: Sequence[int]) -> Descriptors:
        """Sort what came with a request."""
        files = len(mounted.files_of(request.datasets))
        channel, output, status, *rest = given
        return cls(channel, output, status, cgroups=tuple(rest[files:]), datasets=tuple(rest[:files]))


class Kept(NamedTuple):
    """What init has open besides the five, as long as it needs it."""

    datasets: list[int]
    cgroups: list[int]


class Prepared(NamedTuple):
    """What a zygote has worked out once for all of its boxes."""

    rules: landlock.Rules
    filters: dict[Profile, bytes]
    set_threads: tuple[Callable[[int], object], ...] = ()  # of the libraries that numpy computes with
    mapped: Optional[rlimits.Usage] = None  # noqa: UP045 - by the zygote, and so by each box to begin with
    # What refused calls are answered with, by whether processes may be started; none: nobody answers them.
    errors: Mapping[bool, Mapping[int, int]] = {}


def prepare(folders: tuple[str, ...], nodes: tuple[str, ...] = (), *, metadata: bool = True) -> Prepared:
    """Return what boxes with these folders in their root are sealed by.

    Args:
        folders: seen in it.
        nodes: names in /dev of the GPUs' devices that they were granted.
        metadata: modes and times of files may be changed.
    """
    rules = landlock.Rules(
        libraries=(*folders, "/lib", "/lib64", "/bin"),
        readable=("/etc", "/proc", str(mounts.DATASETS)),
        listed=("/", "/dev"),
        writable=(str(mounts.SCRATCH),),
        devices=(*mounts.device_paths(), *(f"/dev/{name}" for name in nodes)),
        # CUDA names its threads by writing to a file of each, and fails with error 304 where it can't.
        written=("/proc/self/task",) if nodes else (),
    )
    profiles = [
        Profile(processes=processes, gpu=bool(nodes), told=told)
        for processes in (False, True)
        for told in (False, True)
    ]
    can_count = forks.can_be_counted()
    decided = {one: replace(one, counted=one.told and can_count, metadata=metadata) for one in profiles}
    filters = {asked: seccomp.encode(seccomp.program(profile)) for asked, profile in decided.items()}
    errors = {profile.processes: seccomp.told_errors(profile) for profile in decided.values() if profile.told}
    capabilities.last_capability()  # remembered
    return Prepared(rules, filters, mapped=rlimits.usage(), errors=errors)


def enter(
    request: SealRequest,
    descriptors: Descriptors,
    prepared: Prepared,
    take_away: Callable[[SealRequest], None] | None = None,
) -> None:
    """Become init, fork the worker, and return in the worker, sealed. In init it does not return.

    Broken setups end here: the status socket says why, and the judge takes it for its own fault.

    Args:
        request: the limits.
        descriptors: what came with it.
        prepared: what the boxes are sealed by.
        take_away: the namespaces, mounts and rights; `isolate`, where it is left out.
    """
    try:
        kept = keep_descriptors(descriptors)
        # SECURITY: first, so that datasets, init and the worker are counted; and before the namespace of groups, in
        # which the group is the root then: its name would tell the judge's number.
        join_cgroups(kept.cgroups)
        (take_away or partial(isolate, datasets=kept.datasets))(request)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        worker = os.fork()
        if worker:
            be_init(worker, ours.detach(), prepared.errors[request.processes > 0], request.processes)
        ours.close()
        limit(request, prepared, theirs.detach())
        use_threads(request.threads, prepared)
        os.environ["CUDA_VISIBLE_DEVICES"] = request.gpus  # the zygote's is empty, so that nothing in it finds a GPU
    # Broad: whatever it is, the box must not come to life with a layer missing.
    except BaseException as error:  # noqa: BLE001
        give_up(error)
    os.closerange(STATUS, os.sysconf("SC_OPEN_MAX"))


def give_up(error: BaseException) -> NoReturn:
    """Say on the status socket why this process can't be sealed, and end it."""
    said = f"{type(error).__name__}: {error}".encode(errors="replace")[:_MOST_TEXT]
    try:
        os.write(STATUS, BROKEN + said)
    finally:
        os._exit(SETUP_FAILED)


# --- init -----------------------------------------------------------------------------------------------------------


def keep_descriptors(given: Descriptors) -> Kept:
    """Put what the box needs to its places and close everything else.

    Why: an inherited descriptor is access that no later layer takes back: of a file, of a folder outside the root, of
    the zygote's own socket.

    Returns:
        Where the datasets' and the cgroups' are now; init's, like the status socket.
    """
    null = os.open(os.devnull, os.O_RDWR)
    kept = (null, given.output, given.output, given.channel, given.status, *given.datasets, *given.cgroups)
    # First out of the way: one of them may lie where another has to go.
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, len(kept)) for number in kept]
    for place, number in enumerate(moved):
        os.dup2(number, place, inheritable=place <= ERRORS)
    os.closerange(len(kept), os.sysconf("SC_OPEN_MAX"))
    more = list(range(STATUS + 1, len(kept)))
    return Kept(more[: len(given.datasets)], more[len(given.datasets) :])


def isolate(request: SealRequest, datasets: Sequence[int] = ()) -> None:
    """Take this process's namespaces, mounts and rights, so that everything it starts is born without them."""
    without = request.without
    os.setsid()
    kinds = Namespace.MOUNT | Namespace.CGROUP
    for layer, kind in (
        (Layer.NETWORK, Namespace.NETWORK),
        (Layer.IPC, Namespace.IPC),
        (Layer.HOST_NAME, Namespace.UTS),
    ):
        kinds |= Namespace(0) if layer in without else kind
    namespaces.unshare(kinds)
    proc_self = namespaces.open_proc_self()  # the zygote's, which can be written to; soon covered
    prefer_to_be_killed(proc_self)
    if Layer.SCRATCH not in without:
        mounts.mount_scratch(mounts.Quota(request.disk_bytes, request.files))
    if request.datasets:
        mounts.mount_datasets(dict(zip(mounted.files_of(request.datasets), datasets)))  # noqa: B905 - Python 3.10's
    if Layer.PROC not in without:
        # Beside a GPU landlock alone keeps it from being written to, but for the threads' names (`prepare`).
        mounts.mount_proc(read_only=not request.gpus)
        mounts.cover_proc()
    if Layer.USER not in without:
        # Its own: processes are counted for each user namespace by itself, and the zygote, whose user id it has, is not
        # within its reach.
        namespaces.unshare(Namespace.USER)
        inside = namespaces.INSIDE_ID
        namespaces.map_ids(Ids(inside, inside), proc_self)
    os.close(proc_self)
    os.chdir(mounts.SCRATCH / "work")
    if Layer.CAPABILITIES not in without:
        capabilities.drop_all()
    syscalls.set_no_new_privileges()
    if Layer.DUMPABLE not in without:
        syscalls.set_dumpable(dumpable=False)


def prefer_to_be_killed(proc_self: int) -> None:
    """Where the whole machine runs out of memory, have the kernel end the box and not the judge."""
    descriptor = os.open("oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_self)
    os.write(descriptor, b"1000")
    os.close(descriptor)


def be_init(worker: int, handover: int, errors: Mapping[int, int], processes: int) -> NoReturn:
    """Serve as init, with two descriptors and none of the worker's. With init the kernel ends all others."""
    if handover != HANDOVER:  # dup3, which this is, takes no two that are the same
        os.dup2(handover, HANDOVER, inheritable=False)
    os.closerange(NULL, STATUS)
    os.closerange(HANDOVER + 1, os.sysconf("SC_OPEN_MAX"))
    # Of the default signals pid 1 gets none from its own namespace; for this one Python has a handler, which raises.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    init.Init(worker, STATUS, HANDOVER, errors, processes).serve()


# --- worker ---------------------------------------------------------------------------------------------------------


def join_cgroups(opened: list[int]) -> None:
    """Move this process, and so all that it will start, into the cgroups that the judge made, with the judge's rights.

    Why: what all processes of a box take together is bounded by nothing else. First, so that nothing goes uncounted.
    """
    for descriptor in opened:
        os.write(descriptor, b"0")


def limit(request: SealRequest, prepared: Prepared, handover: int | None = None) -> None:
    """Put on the layers that bind this process alone. The filter is last: it forbids to set up anything more."""
    without = request.without
    syscalls.set_dumpable(dumpable=True)  # /proc/self is its own again
    # SECURITY: landlock and the filter bind the thread that asks for them, and those it starts from then on. One that
    # was there before would go on without, and run what the student's code writes to its stack.
    if (threads := thread_count()) != 1:
        raise OSError(f"{threads} threads before the filter")
    if Layer.RLIMITS not in without:
        rlimits.apply(
            rlimits.Budget(
                request.memory_bytes, request.cpu_s, request.file_bytes, request.processes, has_gpu=bool(request.gpus)
            ),
            prepared.mapped,
        )
    if Layer.LANDLOCK not in without and landlock.abi():
        landlock.apply(prepared.rules)
    if Layer.SECCOMP not in without:
        filter_calls(Profile(processes=request.processes > 0, gpu=bool(request.gpus)), prepared, handover)


def filter_calls(profile: Profile, prepared: Prepared, handover: int | None) -> None:
    """Put on the system call filter; where the kernel can, one whose refusals init is told of."""
    listener = None
    if handover is not None:
        told = prepared.filters[replace(profile, told=True)]
        with contextlib.suppress(OSError):  # no listener to be had here: the same is refused, and nobody is told
            listener = seccomp.apply(told, listen=True)
    if handover is None or listener is None:
        seccomp.apply(prepared.filters[profile])
    else:
        init.hand_over(listener, handover)


def thread_count() -> int:
    """Return how many threads this process has."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - names are all that is wanted


def use_threads(count: int, prepared: Prepared) -> None:
    """Have numpy's library compute with this many threads, as it would have from its environment in a fresh process.

    The zygote has to be single-threaded when it forks, so it imported numpy with one. Other counts give other bits. In
    a fresh process it takes no more than there are cores; here the bits are the same with fewer of them.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = str(count)
    for set_threads in prepared.set_threads:
        set_threads(count)


def thread_setters() -> tuple[Callable[[int], object], ...]:
    """Return the function of each loaded OpenBLAS that sets its number of threads."""
    found = []
    for library in loaded_libraries("openblas"):
        handle = ctypes.CDLL(library)
        found += [setter for name in _OPENBLAS_SETTERS if (setter := getattr(handle, name, None))][:1]
    return tuple(found)


# numpy's wheels have their own build, with names that can't clash; distributions have the plain one.
_OPENBLAS_SETTERS = (
    "scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads64_",
    "openblas_set_num_threads",
)  # fmt: skip


def loaded_libraries(word: str) -> list[str]:
    """Return the paths of the shared libraries in this process whose file name has a word in it."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    paths = {line.split(maxsplit=5)[-1] for line in maps if "/" in line}
    return sorted(path for path in paths if word in Path(path).name)
