"""What this machine can shut a box in with: found out by trying, in throw-away processes, with the layers' own code.

Asking the system instead (its version, a sysctl, whether it is a container) is wrong somewhere every time: the same
call is refused by Docker's filter, by AppArmor, by a limit of zero namespaces, or by an older kernel.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import re
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NoReturn, cast

from autograder.box.backends import BWRAP, ISOLATIONS, NAMESPACES, PROCESS, RESTRICTED
from autograder.messages import joined, text

_TRY_S = 10.0  # each try takes a few milliseconds
_MOST_BYTES = 4096
_ERROR_NUMBER = re.compile(r"^\[Errno \d+\] ")
_DONE = b".\n"

Layer = Literal[
    "namespaces", "root", "closed_python", "seal", "landlock", "cgroup", "no_bwrap", "bwrap", "restricted", "own_user"
]  # fmt: skip
_WITHOUT_IT_THERE_IS_NO: dict[str, tuple[Layer, ...]] = {
    NAMESPACES: ("namespaces", "root", "closed_python", "seal"),
    BWRAP: ("no_bwrap", "bwrap"),
    RESTRICTED: ("restricted",),
}


@dataclass(frozen=True)
class Missing:
    """A layer that can't be had here, and what the system said."""

    layer: Layer
    problem: str

    @property
    def isolation(self) -> str:
        """The isolation that can't be had without it; empty where one is only weaker."""
        return next((name for name, layers in _WITHOUT_IT_THERE_IS_NO.items() if self.layer in layers), "")

    def lines(self) -> list[str]:
        """Return in words what is missing, and how it can be had; what is to be typed, on a line that is indented."""
        # Without the number of the error, and where else there would be to read.
        problem = _ERROR_NUMBER.sub("", self.problem).partition(". See ")[0]
        return text(f"isolation.{self.layer}", problem=problem).splitlines()

    def explained(self) -> str:
        """Return the same as one line."""
        return joined(*(line.strip() for line in self.lines()))


@dataclass(frozen=True)
class Probe:
    """What works here."""

    backends: tuple[str, ...]
    """Names of isolations, the strictest first."""
    missing: tuple[Missing, ...]
    """What stands in the way of stricter ones, or makes the strictest weaker than it could be."""

    @property
    def best(self) -> str:
        """The strictest isolation there is."""
        return self.backends[0]

    def why_not(self, isolation: str) -> str:
        """Return why an isolation can't be had, in words; empty where it can."""
        if isolation in self.backends:
            return ""
        if isolation not in ISOLATIONS:
            return text("isolation.no_such", names=", ".join(ISOLATIONS))
        reasons = [missing.explained() for missing in self.missing if missing.isolation == isolation]
        return " ".join(reasons) or text("isolation.unknown", platform=sys.platform)

    def stricter_missing(self) -> tuple[Missing, ...]:
        """Return what stands in the way of the isolations that are stricter than the best there is."""
        stricter = ISOLATIONS[: ISOLATIONS.index(self.best)]
        return tuple(missing for missing in self.missing if missing.isolation in stricter)


def probe(*, every: bool = False) -> Probe:
    """Try the isolations, each once a process: the strictest first, until one works. It takes some milliseconds.

    Args:
        every: try all of them.
    """
    if sys.platform != "linux":
        return Probe((PROCESS,), ())
    working: list[str] = []
    missing: list[Missing] = []
    for isolation in ISOLATIONS[:-1]:
        failed = lacking(isolation)
        if failed is not None:
            missing.append(failed)
            continue
        working.append(isolation)
        if not every:
            break
    best = working[0] if working else PROCESS
    if best in {NAMESPACES, BWRAP}:
        missing += [layer for layer in (_landlock(), _memory_cgroup()) if layer is not None]
    elif best == RESTRICTED:
        missing += [layer for layer in (no_own_user(), _memory_cgroup()) if layer is not None]
    return Probe((*working, PROCESS), tuple(missing))


@cache
def lacking(isolation: str) -> Missing | None:
    """Try an isolation, and return what it lacks here."""
    tries = {NAMESPACES: _namespaces, BWRAP: _bwrap, RESTRICTED: _restricted}
    return tries[isolation]()


def has_gpu() -> bool:
    """Whether this machine has a GPU that a process could compute on."""
    return sys.platform == "darwin" or Path("/dev/nvidiactl").exists()


def _namespaces() -> Missing | None:
    from autograder.box.linux import capabilities

    failed = try_in_fork(_seal_one)
    # A container's root may not mount. The root is built by another user then, who has to find Python there.
    if failed is None and os.getuid() == 0 and not capabilities.holds(capabilities.SYS_ADMIN):
        closed = no_own_user()
        return None if closed is None else Missing("closed_python", closed.problem)
    return failed


def _seal_one(attempt: Attempt) -> None:
    """Go through what a zygote and a box go through, with a root that has nothing in it."""
    from autograder.box import seal, zygote
    from autograder.box.linux import mounts, namespaces

    def zygote_itself() -> None:
        leaving.settle()
        attempt.at("seal")
        namespaces.unshare(namespaces.Namespace.PID)
        attempt.fork(box)

    def box() -> None:
        seal.isolate(request)
        attempt.fork(worker)

    def worker() -> None:
        seal.limit(request, seal.prepare(()))
        attempt.done()

    request = seal.SealRequest(
        threads=1, memory_bytes=1 << 30, cpu_s=60, file_bytes=1 << 20, disk_bytes=1 << 20, files=64
    )
    leaving = zygote.Leaving(mounts.RootPlan(zygote.STAGE, ()), attempt.at)
    leaving.give_up_rights()
    leaving.take_namespaces()
    attempt.fork(zygote_itself)


def _bwrap() -> Missing | None:
    """Start a box by Debian's bubblewrap."""
    from autograder.box import bwrap

    if shutil.which(bwrap.PROGRAM) is None:
        return Missing("no_bwrap", "")
    problem = bwrap.attempt(_TRY_S)
    return Missing("bwrap", problem) if problem else None


def _restricted() -> Missing | None:
    """Go through what a zygote without namespaces and its box go through."""
    from autograder.box import leftovers, restrict, restricted, scratch, seal

    def run(attempt: Attempt) -> None:
        attempt.at("restricted")
        restrict.enter_jail((), str(folder))
        attempt.fork(lambda: box(attempt))

    def box(attempt: Attempt) -> None:
        restrict.give_up_rights(request)
        restrict.move_in(request.scratch, str(folder))
        restrict.restrict(request, seal.Prepared(restrict.rules_for((), ()), {}))
        Path("tried").touch()
        attempt.done()

    user = restricted.own_user()
    try:
        folder = scratch.make_folder()
    except OSError as error:
        return Missing("restricted", str(error))
    try:
        request = seal.SealRequest(
            threads=1, memory_bytes=1 << 30, cpu_s=60, file_bytes=1 << 20, disk_bytes=1 << 20, files=64,
            scratch=str(scratch.make_scratch(folder, user)), user=user,
        )  # fmt: skip
        return try_in_fork(run)
    finally:
        leftovers.remove(folder)


@cache
def no_own_user() -> Missing | None:
    """Return why boxes can't have a user id of their own, where this is root: Python may be closed to all others."""
    from autograder.box.linux import capabilities, namespaces
    from autograder.box.linux.python import needed_folders

    def run(attempt: Attempt) -> None:
        attempt.at("own_user")
        if not capabilities.holds(capabilities.CHOWN):
            raise OSError("no right to give a folder away")
        namespaces.become(namespaces.unused_id())
        for path in (*folders, *files, tempfile.gettempdir()):
            if not os.access(path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        attempt.done()

    folders = needed_folders([Path(__file__).resolve().parents[1]])
    found = map(importlib.util.find_spec, ("numpy", "msgspec", "torch", "tensorflow"))
    files = [spec.origin for spec in found if spec is not None and spec.origin]
    return try_in_fork(run) if os.getuid() == 0 else None


def _landlock() -> Missing | None:
    from autograder.box.linux import landlock

    return None if landlock.abi() else Missing("landlock", os.uname().release)


def _memory_cgroup() -> Missing | None:
    from autograder.box.linux import cgroup

    try:
        cgroup.places()
    except OSError as error:
        return Missing("cgroup", str(error))
    return None


# --- trying ---------------------------------------------------------------------------------------------------------


class _ChildFailed(Exception):
    """A process forked within an attempt has failed, and said so."""


class Attempt:
    """Something tried in a throw-away process: says where it is, so that the last word before an error is the place.

    Args:
        out: the write end of a pipe.
    """

    def __init__(self, out: int) -> None:
        self._out = out

    def at(self, layer: str) -> None:
        """Note which layer is tried next."""
        os.write(self._out, f"{layer}\n".encode())

    def done(self) -> None:
        """Note that everything was made; what happens afterwards counts no more."""
        os.write(self._out, _DONE)

    def fork(self, run: Callable[[], object]) -> None:
        """Run something in a forked process and wait for it."""
        pid = os.fork()
        if pid == 0:
            self.run_and_leave(run)
        _, status = os.waitpid(pid, 0)
        if status:
            raise _ChildFailed

    def run_and_leave(self, run: Callable[[], object]) -> NoReturn:
        """Run something, say how it failed if it did, and end this process."""
        status = 1
        try:
            run()
            status = 0
        # Broad: a process that was forked to try something must never go on as a second judge.
        except BaseException as error:  # noqa: BLE001
            with contextlib.suppress(OSError):
                if not isinstance(error, _ChildFailed):
                    os.write(self._out, f"!{error}\n".encode())
        finally:
            os._exit(status)


def try_in_fork(run: Callable[[Attempt], None], timeout_s: float = _TRY_S) -> Missing | None:
    """Return what was missing, or None where all went well."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads; the child only makes system calls
        pid = os.fork()
    if pid == 0:
        os.close(read)
        attempt = Attempt(write)
        attempt.run_and_leave(lambda: run(attempt))
    os.close(write)
    said = _read_until_done(read, timeout_s)
    os.close(read)
    os.kill(pid, signal.SIGKILL)
    # Not waited for here: the kernel takes namespaces down one after the other, which takes longer than all the rest.
    threading.Thread(target=os.waitpid, args=(pid, 0), name="probe", daemon=True).start()
    return None if said.endswith(_DONE) else _missing(said)


def _read_until_done(pipe: int, timeout_s: float) -> bytes:
    """Return what the attempt says, until it is done, has failed, or takes too long."""
    deadline, said = time.monotonic() + timeout_s, b""
    while not said.endswith(_DONE) and len(said) < _MOST_BYTES:
        if not select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
            return said + b"!no answer\n"
        chunk = os.read(pipe, _MOST_BYTES)
        if not chunk:
            break
        said += chunk
    return said


def _missing(said: bytes) -> Missing:
    lines = said.decode(errors="replace").splitlines()
    layers = [line for line in lines if not line.startswith("!")]
    problems = [line[1:] for line in lines if line.startswith("!")]
    return Missing(cast("Layer", layers[-1]) if layers else "namespaces", (problems or ["killed"])[0])
