"""The `bwrap` backend, the judge's side: boxes started cold by Debian's bubblewrap.

For systems that let only some programs make user namespaces, and bubblewrap is one of them (AppArmor's profiles on
Ubuntu). What such a box is and goes through: `cold`.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from autograder.box import plain, sealed
from autograder.box.backends import BWRAP
from autograder.box.interpreter import ours
from autograder.box.linux import cgroup, mounts, namespaces
from autograder.box.linux.python import needed_folders
from autograder.box.mounted import FILES
from autograder.box.restricted import own_user
from autograder.box.seal import Layer, SealRequest
from autograder.box.spec import BoxSpec

PROGRAM = "bwrap"
_START = "import sys; sys.path.append(sys.argv.pop(1)); from autograder.box.cold import {function} as run; run()"
_PACKAGE = Path(__file__).resolve().parents[1]


def start(spec: BoxSpec, without: tuple[Layer, ...] = ()) -> BwrapBox:
    """Start a box and return at once; it is importing while the judge goes on.

    Args:
        spec: what it is for.
        without: layers to leave out; for the tests that show what each is good for.

    Raises:
        OSError: bwrap is not installed, or not where the user can run it.
    """
    environment = plain.environment(
        mounts.SCRATCH, os.environ, ours(), threads=spec.limits.threads, cpu_only=spec.device == "cpu"
    )
    request = sealed.request_for(spec.limits, without)
    datasets = {f"{name}/{file}.gz": folder / f"{file}.gz" for name, folder in spec.datasets.items() for file in FILES}
    group = sealed.make_group(request.memory_bytes, request.processes)
    return BwrapBox(Launcher(environment, datasets), request, group)


class Run(NamedTuple):
    """A function of `cold`, to be run in a box."""

    function: str
    words: list[str]  # of its command line
    descriptors: tuple[int, ...]  # that it inherits
    environment: dict[str, str]
    disk_bytes: int
    datasets: Mapping[str, Path] = {}  # what is to be read, by its path below the folder of datasets


def launch(run: Run, stdout: int, stderr: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start bwrap with a box in it.

    Raises:
        OSError: bwrap is not installed, or not where the user can run it.
    """
    files = {name: readable(content) for name, content in mounts.ETC_MADE.items()}
    user = own_user()
    python = [sys.executable, "-P", "-B", "-X", "utf8", "-c", _START.format(function=run.function)]
    # Opened here, for the box's user may not; bwrap makes copies.
    datasets = {name: os.open(path, os.O_RDONLY | os.O_CLOEXEC) for name, path in run.datasets.items()}
    shown = arguments(needed_folders([_PACKAGE]), files, run.disk_bytes, datasets)
    try:
        return subprocess.Popen(
            [PROGRAM, *shown, "--", *python, str(_PACKAGE.parent), *run.words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd="/",
            env=run.environment,
            pass_fds=[*run.descriptors, *files.values(), *datasets.values()],
            start_new_session=True,
            # SECURITY: as in a zygote, root gives up its id before anything else.
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    finally:
        for descriptor in (*files.values(), *datasets.values()):
            os.close(descriptor)


def attempt(timeout_s: float) -> str:
    """Go through what a box goes through, and return what failed; empty where nothing did."""
    run = Run(
        "attempt", [], (), plain.environment(mounts.SCRATCH, os.environ, ours(), threads=1, cpu_only=True), 1 << 20
    )
    try:
        with launch(run, subprocess.DEVNULL, subprocess.PIPE) as process:
            try:
                _, said = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                return "no answer"
    except OSError as error:
        return str(error)
    if process.returncode == 0:
        return ""
    return (said.decode(errors="replace").strip().splitlines() or ["killed"])[-1].removeprefix("bwrap: ")


class Launcher:
    """One run of bwrap, to which a sealed box looks like the zygote it was forked from.

    Args:
        environment: of the box.
        datasets: what it is to read.
    """

    def __init__(self, environment: dict[str, str], datasets: Mapping[str, Path]) -> None:
        self._environment, self._datasets = environment, datasets
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the box
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, request: SealRequest, descriptors: list[int]) -> None:
        """Start the box; what comes of it is told on the status socket among the descriptors."""
        words = [msgspec.json.encode(request).decode(), ",".join(map(str, descriptors))]
        run = Run("main", words, tuple(descriptors), self._environment, request.disk_bytes, self._datasets)
        self._process = launch(run, subprocess.DEVNULL, self._errors)

    def ends_within(self, timeout_s: float) -> bool:
        """Whether it has ended, or does so soon."""
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                return False
        return True

    def last_words(self) -> str:
        """Return the end of what bwrap, or Python before it was sealed, wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:]

    def kill(self) -> None:
        """Kill bwrap, and with it what it has started."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Kill it, and wait for its end."""
        self.kill()
        if self._process is not None:
            self._process.wait()
        self._errors.close()


class BwrapBox(sealed.SealedBox):
    """One box, from its start to its end."""

    isolation = BWRAP

    def __init__(self, launcher: Launcher, request: SealRequest, group: cgroup.Group | None) -> None:
        self._launcher = launcher
        super().__init__(launcher, request, group)

    def kill(self) -> None:
        """Kill init, and bwrap, which may not have come as far as init yet."""
        super().kill()
        self._launcher.kill()

    def end(self) -> None:
        """Kill everything in it and wait until it is gone."""
        self._launcher.kill()
        super().end()
        self._launcher.close()


def arguments(
    folders: tuple[str, ...], files: dict[str, int], disk_bytes: int, datasets: Mapping[str, int]
) -> list[str]:
    """Return what bwrap is told: the same root that `mounts.build_root` makes, in the order in which it is made.

    Args:
        folders: seen where they are, read-only.
        files: of /etc, as descriptors to read them from.
        disk_bytes: the size of the scratch folder.
        datasets: files below the folder of datasets, as descriptors to read them from.
    """
    return [
        *("--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"),
        *("--uid", str(namespaces.INSIDE_ID), "--gid", str(namespaces.INSIDE_ID), "--hostname", "box"),
        *(word for folder in folders for word in ("--ro-bind", folder, folder)),
        *_system_links(),
        *(word for name, number in files.items() for word in ("--file", str(number), f"/etc/{name}")),
        *(word for name in mounts.ETC for word in _same_as(f"/etc/{name}")),
        *_read_only(datasets),
        *("--proc", "/proc"),
        *_covered(),
        *_devices(),
        *("--perms", "0700", "--size", str(disk_bytes), "--tmpfs", str(mounts.SCRATCH)),
        *(word for name in mounts.FOLDERS for word in ("--perms", "0700", "--dir", f"{mounts.SCRATCH}/{name}")),
        *_temporary_folder(folders),
        *("--remount-ro", "/", "--chdir", "/"),
    ]


def _read_only(datasets: Mapping[str, int]) -> Iterator[str]:
    for name, number in datasets.items():
        yield from ("--perms", "0444", "--ro-bind-data", str(number), f"{mounts.DATASETS}/{name}")


def _system_links() -> Iterator[str]:
    for name in mounts.SYSTEM_LINKS:
        yield from _same_as(f"/{name}")


def _same_as(path: str) -> Iterator[str]:
    """Yield what shows a path as it is on this machine: as the link that it is, or read-only."""
    found = Path(path)
    if found.is_symlink():
        yield from ("--symlink", str(found.readlink()), path)
    elif found.exists():
        yield from ("--ro-bind", path, path)


def _covered() -> Iterator[str]:
    """Yield what puts nothing in the place of those files of /proc that no namespace divides.

    SECURITY: and of those that are root's alone (which pages of the machine's memory are in use, where the kernel has
    its own). Where root's Python is closed to others the box keeps root's number, and by that it could read them.
    """
    usual = [Path("/proc", name) for name in mounts.COVERED]
    roots = [
        path for path in sorted(Path("/proc").iterdir()) if path.is_file() and not path.stat().st_mode & stat.S_IROTH
    ]
    for path in (*usual, *roots):
        if path.exists():
            yield from ("--dev-bind", "/dev/null", str(path))


def _devices() -> Iterator[str]:
    """Yield a /dev by hand: bwrap's own has a /dev/shm without a size."""
    for path in mounts.device_paths():
        if Path(path).exists():
            yield from ("--dev-bind", path, path)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        yield from ("--symlink", f"/proc/self/fd/{number}", f"/dev/{name}")
    yield from ("--symlink", "/proc/self/fd", "/dev/fd")
    yield from ("--symlink", f"{mounts.SCRATCH}/shm", "/dev/shm")  # noqa: S108 - a link into the quota


def _temporary_folder(folders: tuple[str, ...]) -> Iterator[str]:
    if not any(Path(folder).is_relative_to("/tmp") for folder in folders):  # noqa: S108 - Python may be installed there
        yield from ("--symlink", f"{mounts.SCRATCH}/tmp", "/tmp")  # noqa: S108 - the box's own


def readable(content: str) -> int:
    """Return a descriptor that a short text can be read from."""
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as pipe:
        pipe.write(content)
    return read
