"""Scratch folders on the machine's own disk, for boxes that have no mount namespace: made, measured, given away."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from autograder.box import leftovers
from autograder.box.init import Room
from autograder.box.linux.mounts import FOLDERS
from autograder.box.mounted import FILES
from autograder.box.restrict import ZYGOTE_FOLDER

DATASETS = "datasets"  # of the scratch folder

_MOST_ONLY_MAPPED = 16  # files without a name or a descriptor: nobody can tell from outside how large they are
_MOST_DEPTH = 100  # of folders in folders: deeper than any saved model, and far from where listing them ends
_BLOCK_BYTES = 512  # of st_blocks, whatever the disk's own are
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_MAPPED = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ (\d+) +(/.*) \(deleted\)$", re.MULTILINE)
_REPLACED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def make_folder() -> Path:
    """Make the folder of all scratch folders of a zygote, with the zygote's own in it.

    SECURITY: of a random name, for without a mount namespace it lies where others write, too. Others may pass through
    it and not list it.
    """
    folder = leftovers.make("es")
    folder.chmod(0o711)
    own = folder / ZYGOTE_FOLDER
    own.mkdir(mode=0o700)
    _fill(own, None)
    return folder


def make_scratch(parent: Path, user: int | None) -> Path:
    """Make a box's scratch folder, which is its user's alone."""
    scratch = Path(tempfile.mkdtemp(prefix="box-", dir=parent))
    _fill(scratch, user)
    return scratch


def put_datasets(datasets: Mapping[str, Path], folder: Path) -> Room:
    """Copy datasets' files into a new folder of a scratch folder, for everybody to read; return what they take.

    Without mounts a box sees the machine's own files, by its own user id: the course's are not always open to it. A box
    that has no id of its own may change its copies; no other box sees them.
    """
    for name, source in datasets.items():
        (folder / name).mkdir(parents=True)
        for file in FILES:
            target = folder / name / f"{file}.gz"
            shutil.copyfile(source / target.name, target)
            target.chmod(0o444)
        for made in (folder, folder / name):
            made.chmod(0o755)
    return room_of(folder) if datasets else Room(0, 0)


def _fill(scratch: Path, user: int | None) -> None:
    for name in FOLDERS:
        (scratch / name).mkdir(mode=0o700)
    if user is not None:
        for folder in (*scratch.iterdir(), scratch):
            os.chown(folder, user, user)


def room_of(folder: Path, most_files: int = sys.maxsize - 1) -> Room:
    """Return what the files below a folder take; what exceeds the number of files is not looked at.

    By descriptors and not by paths: deep in folders with long names a path gets too long, and what can't be looked at
    would not count.

    Raises:
        OSError: a folder that can't be listed, or one below a hundred others.
    """
    sizes = list(itertools.islice(_sizes(folder), most_files + 1))
    return Room(sum(sizes), len(sizes))


def held_in(folder: Path, pids: Iterable[int], most_files: int) -> Room:
    """Return what the files below a folder take, and those without a name that processes hold beside them.

    Raises:
        OSError: as of `room_of`; or more files that are only mapped than anybody needs.
    """
    room = room_of(folder, most_files)
    unnamed = [unnamed_in(folder, pid) for pid in pids]
    if sum(one.only_mapped for one in unnamed) > _MOST_ONLY_MAPPED:
        raise OSError("too many files that are only mapped")
    return room._replace(disk_bytes=room.disk_bytes + sum(one.disk_bytes for one in unnamed))


def _sizes(folder: Path) -> Iterator[int]:
    top = os.open(folder, _FOLDER)
    try:
        yield from _sizes_in(top, 0)
    finally:
        os.close(top)


def _sizes_in(folder: int, depth: int) -> Iterator[int]:
    if depth > _MOST_DEPTH:
        raise OSError("too deep")
    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                names += [entry.name] if stat.S_ISDIR(found.st_mode) else []
                yield found.st_blocks * _BLOCK_BYTES
    for name in names:
        inner = _open_folder(name, folder)
        if inner is not None:
            try:
                yield from _sizes_in(inner, depth + 1)
            finally:
                os.close(inner)


def _open_folder(name: str, parent: int) -> int | None:
    """Return a descriptor of a folder; None where that has been removed or replaced since it was listed.

    SECURITY: the box goes on meanwhile, and the judge has more rights. os.fwalk opens whatever the name leads to by
    then: a link to a named pipe holds up for ever who looks at memory and disk, and some devices do something when they
    are opened.
    """
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno in _REPLACED:
            return None
        raise


class Unnamed(NamedTuple):
    """What a process holds in files that have no name any more."""

    disk_bytes: int
    only_mapped: int
    """How many of them it has closed and only mapped: they may be larger than what is mapped of them."""


def unnamed_in(folder: Path, pid: int) -> Unnamed:
    """Return what a process holds in files without a name that were in a folder, as far as it may be looked into.

    SECURITY: a thread may have descriptors of its own, and a file stays as long as one of its pages is mapped.
    """
    opened: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            opened |= _opened_by(task)
    mapped = {inode: size for inode, size in _mapped_by(pid, folder).items() if inode not in opened}
    return Unnamed(sum(opened.values()) + sum(mapped.values()), len(mapped))


def _opened_by(task: Path) -> dict[int, int]:
    """Return the sizes of a thread's open files without a name, by inode."""
    sizes: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for descriptor in (task / "fd").iterdir():
            with contextlib.suppress(OSError):
                found = descriptor.stat()
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    sizes[found.st_ino] = found.st_blocks * _BLOCK_BYTES
    return sizes


def _mapped_by(pid: int, folder: Path) -> dict[int, int]:
    """Return how far into a process's files without a name it has mapped them, by inode."""
    sizes: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for line in _MAPPED.finditer(Path(f"/proc/{pid}/maps").read_bytes()):
            begin, end, offset, inode, path = line.groups()
            if path.startswith(os.fsencode(folder) + b"/"):
                size = int(offset, 16) + int(end, 16) - int(begin, 16)
                sizes[int(inode)] = max(size, sizes.get(int(inode), 0))
    return sizes
