"""What a Jupyter kernel goes through before the notebook's first cell. Runs inside the box.

    Python, started by bwrap (`bwrap`), or as a user without rights (`restricted`)
      ─▶ its cgroups ─▶ copies the submission's files to where it works ─▶ no capabilities, no new privileges
      ─▶ rlimits ─▶ landlock ─▶ system call filter ─▶ says that it is sealed, lets go of all descriptors
      ─▶ is the kernel

The kernel runs the tests and the student's code in one process. SECURITY: so nothing here keeps a student from points;
what it keeps them from is everything else: files, other students, the gradebook, the network, the machine.

It is reached by sockets in a folder of the machine. SECURITY: all that may be done there is to make and to remove
sockets, so that nothing can be stored in it, and the box's own folders have a size.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import msgspec

from autograder.box import restrict, seal
from autograder.box.linux import capabilities, landlock, namespaces, policy, rlimits, seccomp, syscalls
from autograder.box.linux.policy import Profile
from autograder.box.linux.python import needed_folders
from autograder.box.seal import Layer

SEALED = b"s"  # on the status pipe; or seal.BROKEN, and what failed
CONNECTION = "kernel.json"  # in the folder of sockets: how the kernel is reached, as it is seen from inside
LAUNCHER = "ipykernel_launcher"
_LAUNCHED_AS = ("-m", LAUNCHER)
_LEAST_LANDLOCK = 3  # where the box has a user's own id
_PACKAGE = Path(__file__).resolve().parents[1]


class KernelRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What the kernel is to be: nothing secret, for it is on the command line."""

    command: tuple[str, ...]  # the kernel's; CONNECTION stands for the file that it is reached by
    sockets: str  # where it makes its sockets
    given: str  # the submission's files
    scratch: str
    threads: int
    memory_bytes: int
    cpu_s: int
    file_bytes: int
    processes: int
    has_namespaces: bool
    folders: tuple[str, ...] = ()  # that the kernel reads besides this Python's
    user: Optional[int] = None  # noqa: UP045 - evaluated, by Python 3.9 too
    tasks: int = 0
    # SECURITY: for tests only; a layer that can't be switched off can't be shown to work.
    without: tuple[Layer, ...] = ()


def main() -> None:
    """Seal this process, say so, and be the kernel."""
    status, *cgroups = [int(number) for number in sys.argv.pop().split(",")]
    request = msgspec.json.decode(sys.argv.pop(), type=KernelRequest)
    try:
        command = settle(request, cgroups)
        restrain(request)
        os.write(status, SEALED)
    # Broad: whatever it is, the kernel must not come to life with a layer missing.
    except BaseException as error:  # noqa: BLE001
        os.write(status, seal.BROKEN + f"{type(error).__name__}: {error}".encode(errors="replace")[:2000])
        os._exit(seal.SETUP_FAILED)
    mute()
    use_threads(request.threads)
    become(command)


def settle(request: KernelRequest, cgroups: list[int]) -> list[str]:
    """Join the cgroups, give back all rights, and lay out the files; return the kernel's command."""
    seal.join_cgroups(cgroups)
    proc_self = namespaces.open_proc_self()
    seal.prefer_to_be_killed(proc_self)
    os.close(proc_self)
    capabilities.keep_only()
    syscalls.set_no_new_privileges()
    syscalls.set_dumpable(dumpable=True)  # /proc/self is its own
    if not request.has_namespaces:
        syscalls.die_with_parent()  # bwrap sees to it otherwise
    work, home = Path(request.scratch, "work"), Path(request.scratch, "home")
    shutil.copytree(request.given, work, symlinks=True, dirs_exist_ok=True)
    os.chdir(work)
    connection = home / CONNECTION
    shutil.copyfile(Path(request.sockets, CONNECTION), connection)
    os.environ["IPYTHONDIR"] = str(home)
    os.environ["JUPYTER_RUNTIME_DIR"] = str(home)
    del os.environ["MPLBACKEND"]  # ipykernel's own shows plots in the notebook
    command = [str(connection) if word == CONNECTION else word for word in request.command]
    if not is_own(command) and not os.access(command[0], os.X_OK):
        raise FileNotFoundError(command[0])
    return command


def restrain(request: KernelRequest) -> None:
    """Put on the layers that bind this process and all that it starts. The filter is last: it forbids the others."""
    if (threads := seal.thread_count()) != 1:  # SECURITY: as in seal.limit
        raise OSError(f"{threads} threads before the filter")
    if request.processes and not request.has_namespaces:
        raise OSError("without namespaces a kernel can't have processes: they would outlive it")
    if Layer.RLIMITS not in request.without:
        more = request.tasks or request.processes
        rlimits.apply(rlimits.Budget(request.memory_bytes, request.cpu_s, request.file_bytes, more))
    if Layer.LANDLOCK not in request.without:
        apply_landlock(request)
    if Layer.SECCOMP not in request.without:
        seccomp.apply(seccomp.encode(seccomp.program_of(filter_of(request, os.getpid()))))


def apply_landlock(request: KernelRequest) -> None:
    """Decide which files may be opened.

    Why: it alone keeps the folder of sockets, which lies on the machine's disk, from being filled. In a restricted box
    it is the only layer on files.
    """
    least = 1 if request.has_namespaces or request.user is not None else _LEAST_LANDLOCK
    if (version := landlock.abi()) < least:
        if request.has_namespaces:  # a second opinion there, which this kernel has not
            return
        raise OSError(f"landlock {version}: version {least} is needed")
    folders = (*needed_folders([_PACKAGE]), *request.folders)
    rules = restrict.rules_for(folders, (request.scratch,))
    if request.has_namespaces:
        rules = rules._replace(readable=("/etc", "/proc"), listed=("/", "/dev"))
    else:
        restrict.hold(rules.readable)  # as long as this process lives
    landlock.apply(rules._replace(sockets=(request.sockets,)))


def filter_of(request: KernelRequest, pid: int) -> dict[str, policy.Rule]:
    """Return what is decided of each system call."""
    only_to = None if request.has_namespaces else pid
    # SECURITY: bwrap's devices are the machine's own, whose mode root may change; so no chmod there.
    metadata = not request.has_namespaces and request.user is not None
    profile = Profile(processes=request.processes > 0, only_signals_to=only_to, metadata=metadata)
    starts_program = not is_own(request.command)
    return policy.for_kernel(profile, programs=request.processes > 0 or starts_program)


def use_threads(count: int) -> None:
    """Have numpy's library compute with this many threads; to be sealed, this process had to import it with one."""
    os.environ["OPENBLAS_NUM_THREADS"] = str(count)
    for set_threads in seal.thread_setters():
        set_threads(count)


def mute() -> None:
    """Let go of every descriptor: what the kernel prints comes by its sockets, not to the instructor's terminal."""
    null = os.open(os.devnull, os.O_RDWR)
    for place in range(3):
        os.dup2(null, place)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def become(command: Sequence[str]) -> None:
    """Run the kernel: in this process where it is IPython's and Python is ours, which needs no right to run others."""
    if not is_own(command):
        os.execv(command[0], list(command))  # noqa: S606 - no shell is wanted
    sys.path[:] = [folder for folder in sys.path if folder != str(_PACKAGE.parent)]
    sys.argv = list(command[2:])
    runpy.run_module(LAUNCHER, run_name="__main__", alter_sys=True)


def is_own(command: Sequence[str]) -> bool:
    """Whether a command runs IPython's kernel by the Python that this process runs with."""
    by_own = Path(command[0]).name.startswith("python") and Path(command[0]).absolute() == Path(sys.executable)
    return by_own and tuple(command[1:3]) == _LAUNCHED_AS


def seen_from_inside(connection: str, sockets: str) -> str:
    """Return a connection file's text as the kernel needs it, which may see the folder of sockets elsewhere."""
    told = json.loads(connection)
    return json.dumps(told | {"ip": str(Path(sockets, Path(told["ip"]).name))})


if __name__ == "__main__":
    main()
