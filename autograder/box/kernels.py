"""Jupyter kernels in boxes, the side of whoever runs notebooks: starts them, looks at them, ends them.

What such a kernel goes through, and why: `kernel`. Isolations are tried from the strictest on: `bwrap`, then
`restricted`, where the kernel can start no processes. There is no third one that anybody gets without asking for it.

    folder/    m.json     how the kernel is reached, as it is seen from here
               s/         the kernel's sockets, and the same file as it is seen from inside
               given/     a copy of the submission's folder, without what the kernel must not see
               scratch/   of a kernel without mounts: all that it writes
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import select
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, cast

import msgspec

from autograder.box import bwrap, leftovers, plain, probe, restricted, sealed
from autograder.box.backends import BWRAP, PROCESS, RESTRICTED
from autograder.box.interpreter import ours
from autograder.box.kernel import CONNECTION, SEALED, KernelRequest, seen_from_inside
from autograder.box.linux import cgroup, mounts
from autograder.box.linux.python import needed_folders
from autograder.box.scratch import held_in, make_scratch, room_of
from autograder.box.seal import Layer
from autograder.limits import MB, Limits
from autograder.messages import text

ISOLATIONS = (BWRAP, RESTRICTED, PROCESS)
Ended = Literal["time", "memory", "disk", "output"]

_START = "import sys; sys.path.append(sys.argv.pop(1)); from autograder.box.kernel import main; main()"
_PACKAGE = Path(__file__).resolve().parents[1]
_SOCKETS, _GIVEN = "/kernel", "/given"  # as bwrap shows them
_SEALED_S = 60.0  # a Python that is started for the first time on a network drive
_GONE_S = 10.0
_LONGEST_SOCKET = 100  # the kernel takes 107 bytes
_EVERY_S = 0.2
_MOST_SOCKETS = 256  # in its folder; a kernel makes five
_NPROC_ROOM = 1024  # for what else the user starts while the kernel runs
# What the tests in a notebook may ask for: nbgrader says by it what it runs them for.
_PASSED_ON = ("NBGRADER_EXECUTION", "NBGRADER_VALIDATING")


@dataclass(frozen=True)
class KernelSpec:
    """What a kernel is to be."""

    command: Sequence[str]
    """The kernel's, with the path of the manager's connection file in it."""
    submission: Path
    """The folder that it works in a copy of."""
    limits: Limits = field(default_factory=Limits)
    isolation: str = "auto"
    unseen: Sequence[str] = ()
    """Patterns of the names of files and folders that are not copied."""
    folders: Sequence[str] = ()
    """That it reads besides this Python's."""
    without: tuple[Layer, ...] = ()
    """Layers to leave out; for the tests that show what each is good for."""


class KernelRefused(Exception):
    """No kernel of the isolation that was asked for can be started here."""


def choose(isolation: str) -> str:
    """Return the isolation that a kernel gets.

    Raises:
        KernelRefused: it can't be had, or `auto` finds none that closes a kernel.
    """
    if isolation == PROCESS:
        return PROCESS
    if isolation != "auto" and isolation not in ISOLATIONS:
        raise KernelRefused(text("plain.no_such_isolation", name=isolation, names=", ".join(("auto", *ISOLATIONS))))
    wanted = (BWRAP, RESTRICTED) if isolation == "auto" else (isolation,)
    if sys.platform != "linux":
        raise KernelRefused(text("plain.not_linux"))
    missing = [probe.lacking(name) for name in wanted]
    for name, lack in zip(wanted, missing, strict=True):
        if lack is None:
            return name
    raise KernelRefused(text("plain.refused", problems=" ".join(lack.explained() for lack in missing if lack)))


class Kernel:
    """One kernel, from the folder that it is reached by to its end."""

    def __init__(self) -> None:
        self.folder = leftovers.make("k")
        self.folder.chmod(0o711)  # the box's user passes through, and lists nothing
        self.connection_file = self.folder / "m.json"
        self.ip = str(self.folder / "s" / "k")
        self.ended_for: Ended | None = None
        self.isolation = ""
        self._group: cgroup.Group | None = None
        self._user: int | None = None
        self._scratch: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: _Watch | None = None
        (self.folder / "s").mkdir(mode=0o700)
        if len(self.ip) > _LONGEST_SOCKET:
            self.end()
            raise KernelRefused(text("plain.long_path", folder=tempfile.gettempdir()))

    def start(self, spec: KernelSpec) -> subprocess.Popen[bytes]:
        """Start it, and return once it is sealed.

        Raises:
            KernelRefused: it can't be sealed here, or its files take more than it may have.
        """
        try:
            self.isolation = choose(spec.isolation)
            # The number is chosen once: files are given to whom the process will be.
            self._user = None if self.isolation == PROCESS else restricted.own_user()
            self._copy(spec)
            if self.isolation != PROCESS:
                self._group = sealed.make_group(spec.limits.memory_mb * MB, spec.limits.processes)
            self._process = process = self._launch(spec)
        except OSError as error:
            raise KernelRefused(text("plain.not_started", problem=str(error))) from error
        self._watch = _Watch(self, process, spec.limits, self._group, self._scratch)
        return process

    def end_for(self, why: Ended) -> None:
        """End it because it took too much of something; the first reason counts."""
        self.ended_for = self.ended_for or why
        self._kill()

    def why_it_ended(self) -> Ended | None:
        """Return what it took too much of; None where it ended by itself."""
        if self.ended_for is None and self._group is not None and self._group.memory_exceeded():
            return "memory"
        return self.ended_for

    def end(self) -> None:
        """Kill everything in it, wait until it is gone, and remove what was made for it."""
        if self._watch is not None:
            self._watch.stop()
        if self._process is not None:
            self._kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GONE_S)
        if self._group is not None:
            self._group.close()
        if self._scratch is not None and self.isolation == PROCESS:
            leftovers.remove(self._scratch)
        leftovers.remove(self.folder)

    def _kill(self) -> None:
        if self._process is None:
            return
        plain.kill_tree(self._process)
        if self.isolation == PROCESS and self._scratch is not None:
            plain.kill_orphans(self._scratch)

    # --- its files ----------------------------------------------------------------------------------------------------

    def _copy(self, spec: KernelSpec) -> None:
        given = self.folder / "given"
        if room_of(spec.submission).disk_bytes > spec.limits.room_mb * MB:
            raise OSError(text("plain.too_much", mb=spec.limits.room_mb))
        copy_submission(spec.submission, given, spec.unseen)
        self._give(given)

    def _give(self, folder: Path) -> None:
        """Make a folder the box's user's."""
        folder.chmod(0o700)
        if self._user is not None:
            for path, folders, files in os.walk(folder):
                for name in (".", *folders, *files):
                    os.chown(Path(path, name), self._user, self._user, follow_symlinks=False)

    # --- its process --------------------------------------------------------------------------------------------------

    def _launch(self, spec: KernelSpec) -> subprocess.Popen[bytes]:
        inside = Path(_SOCKETS if self.isolation == BWRAP else self.folder / "s")
        told = seen_from_inside(self.connection_file.read_text(encoding="utf-8"), str(inside))
        connection = self.folder / "s" / CONNECTION
        connection.touch(mode=0o600)
        connection.write_text(told, encoding="utf-8")
        self._give(self.folder / "s")
        if self.isolation == PROCESS:
            return self._launch_plain(spec)
        if self.isolation == BWRAP:
            scratch = mounts.SCRATCH
        else:
            scratch = self._scratch = make_scratch(self.folder, self._user)
        request = self._request(spec, str(inside), str(scratch))
        return self._launch_sealed(request, _environment(scratch, spec.limits), spec)

    def _request(self, spec: KernelSpec, sockets: str, scratch: str) -> KernelRequest:
        limits, has_namespaces = spec.limits, self.isolation == BWRAP
        shared_user = not has_namespaces and self._user is None
        return KernelRequest(
            command=tuple(CONNECTION if word == str(self.connection_file) else word for word in spec.command),
            sockets=sockets,
            given=_GIVEN if has_namespaces else str(self.folder / "given"),
            scratch=scratch,
            threads=limits.threads,
            memory_bytes=limits.memory_mb * MB,
            cpu_s=limits.cpu_s,
            file_bytes=limits.file_mb * MB,
            processes=limits.processes if has_namespaces else 0,
            has_namespaces=has_namespaces,
            folders=tuple(spec.folders),
            user=self._user,
            tasks=restricted.count_tasks(os.getuid()) + _NPROC_ROOM if shared_user else 0,
            without=spec.without,
        )

    def _launch_sealed(
        self, request: KernelRequest, environment: dict[str, str], spec: KernelSpec
    ) -> subprocess.Popen[bytes]:
        read, write = os.pipe()
        cgroups = self._group.descriptors if self._group else []
        python = [sys.executable, "-P", "-B", "-X", "utf8", "-c", _START, str(_PACKAGE.parent)]
        words = [*python, msgspec.json.encode(request).decode(), ",".join(map(str, (write, *cgroups)))]
        files: dict[str, int] = {}
        if self.isolation == BWRAP:
            files = {name: bwrap.readable(content) for name, content in mounts.ETC_MADE.items()}
            words = [*self._bwrap_arguments(request, spec, files), "--", *words]
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                env=environment | {"OPENBLAS_NUM_THREADS": "1"},  # to be sealed it has to have one thread
                pass_fds=[write, *cgroups, *files.values()],
                start_new_session=True,
                # SECURITY: as in a zygote, root gives up its id before anything else.
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
            )
        finally:
            for descriptor in (write, *files.values()):
                os.close(descriptor)
        self._process = process
        with os.fdopen(read, "rb", buffering=0) as status, cast("IO[bytes]", process.stderr) as stderr:
            _wait_until_sealed(process, status, stderr)
        if self._group:
            self._group.let_go()
        return process

    def _bwrap_arguments(self, request: KernelRequest, spec: KernelSpec, files: dict[str, int]) -> list[str]:
        folders = needed_folders([_PACKAGE, *map(Path, spec.folders)])
        shown = bwrap.arguments(folders, files, spec.limits.room_mb * MB, {})
        # bwrap stays as init: a kernel that runs programs reaps none that is not its own.
        shown.remove("--as-pid-1")
        share = ["--share-net"] if Layer.NETWORK in request.without else []
        folder = str(self.folder)
        return [
            bwrap.PROGRAM,
            *("--bind", f"{folder}/s", _SOCKETS),
            *("--ro-bind", f"{folder}/given", _GIVEN),
            *shown,
            *share,
        ]

    def _launch_plain(self, spec: KernelSpec) -> subprocess.Popen[bytes]:
        """Start it with a clean environment, and nothing closed."""
        self._scratch = leftovers.make_scratch()
        shutil.copytree(self.folder / "given", self._scratch / "work", symlinks=True, dirs_exist_ok=True)
        return subprocess.Popen(
            list(spec.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._scratch / "work",
            env=_environment(self._scratch, spec.limits),
            start_new_session=True,
        )


class _Watch(threading.Thread):
    """Looks at a kernel five times a second: at the clock, and at what the kernel of the system does not bound."""

    def __init__(
        self,
        kernel: Kernel,
        process: subprocess.Popen[bytes],
        limits: Limits,
        group: cgroup.Group | None,
        scratch: Path | None,
    ) -> None:
        super().__init__(name="kernel", daemon=True)
        self._kernel, self._limits, self._scratch = kernel, limits, scratch
        self._pid = process.pid
        self._deadline = time.monotonic() + limits.attempt_s
        self._stopped = threading.Event()
        self._memory = None
        if group is None:
            self._memory = plain.MemoryWatch(process.pid, limits.memory_mb * MB, lambda: kernel.end_for("memory"))
        self.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        if self._memory is not None:
            self._memory.stop()

    def run(self) -> None:
        """Look, until something is too much."""
        while not self._stopped.wait(_EVERY_S):
            if time.monotonic() > self._deadline:
                self._kernel.end_for("time")
                return
            if self._has_many_sockets() or (self._scratch is not None and self._is_full(self._scratch)):
                self._kernel.end_for("disk")
                return

    def _has_many_sockets(self) -> bool:
        # SECURITY: there may be as many as the machine's disk has room for names.
        folder = self._kernel.folder / "s"
        try:
            return room_of(folder, _MOST_SOCKETS).files > _MOST_SOCKETS
        except OSError:
            return self._is_there(folder)

    def _is_full(self, scratch: Path) -> bool:
        try:
            held = held_in(scratch, (member.pid for member in plain.family_of(self._pid)), self._limits.files)
        except OSError:
            return self._is_there(scratch)
        return held.disk_bytes > self._limits.room_mb * MB or held.files > self._limits.files

    def _is_there(self, folder: Path) -> bool:
        """Whether a folder that nobody can tell the size of is there, while the kernel runs: it may have any."""
        return folder.exists() and not self._stopped.is_set()


def _environment(scratch: Path, limits: Limits) -> dict[str, str]:
    """Return the kernel's whole environment."""
    made = plain.environment(scratch, os.environ, ours(), threads=limits.threads, cpu_only=True)
    return made | {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def copy_submission(source: Path, target: Path, unseen: Sequence[str]) -> None:
    """Copy a submission's folder, without what its kernel must not see.

    SECURITY: links are copied as links and never followed: what they lead to is whoever grades' to read, and not the
    student's. Notebooks hold the hidden tests while they are graded.
    """

    def left_out(folder: str, names: list[str]) -> set[str]:
        found = {name for name in names if any(fnmatch.fnmatch(name.lower(), pattern.lower()) for pattern in unseen)}
        return found | {name for name in names if not _can_be_copied(Path(folder, name))}

    shutil.copytree(source, target, symlinks=True, ignore=left_out)


def _can_be_copied(path: Path) -> bool:
    mode = path.lstat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def _wait_until_sealed(process: subprocess.Popen[bytes], status: IO[bytes], stderr: IO[bytes]) -> None:
    said = status.read(4096) if select.select([status], [], [], _SEALED_S)[0] else b""
    if said == SEALED:
        return
    process.kill()
    process.wait()
    words = said[1:] or stderr.read()[-2000:]
    raise OSError(words.decode(errors="replace").strip() or "no answer")
