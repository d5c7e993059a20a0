"""Scratch folders on the machine's own disk, for boxes that have no mount namespace: made, measured, given away."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from autograder.box import leftovers
from autograder.box.init import Room
from autograder.box.linux.mounts import FOLDERS
from autograder.box.mounted import FILES
from autograder.box.restrict import ZYGOTE_FOLDER

DATASETS = "datasets"  # of the scratch folder

_MOST_DEPTH = 100  # of folders in folders: deeper than any saved model, and far from where listing them ends
_BLOCK_BYTES = 512  # of st_blocks, whatever the disk's own are


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


def _sizes(folder: Path) -> Iterator[int]:
    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # removed meanwhile
            raise error

    for path, folders, files, descriptor in os.fwalk(folder, onerror=fail):
        if path.count("/") - str(folder).count("/") > _MOST_DEPTH:
            raise OSError("too deep")
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                yield os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_blocks * _BLOCK_BYTES


def unnamed_bytes(pid: int) -> int:
    """Return what a process holds in files that have no name any more, as far as it may be looked into."""
    total = 0
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found = descriptor.stat()
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    total += found.st_blocks * _BLOCK_BYTES
    return total
