"""Folders on the machine's disk, for boxes without mounts: found again and removed after their judge was killed.

A judge that is killed removes nothing. So each folder has a file in it that its judge keeps locked: the kernel takes
the lock away with the judge, and the next one that starts a box removes what nobody locks. Not by process numbers:
those of another container that shares the folder for temporary files mean nothing here.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

PREFIX = "grade-box"
FOLDERS = ("work", "home", "tmp")
_LOCK = "judge"
_MOST_LEVELS = 4000  # of folders in folders; removing one takes about as long as a student's code needs for ten
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_locks: dict[Path, int] = {}  # descriptors by folder; Windows, which has no such locks, has none


def make(kind: str = "") -> Path:
    """Return a new folder; first, once a process, remove those of judges that were killed."""
    _remove_leftovers_once(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-")).resolve()
    _lock(folder)
    return folder


def make_scratch() -> Path:
    """Return a new scratch folder of a plain box."""
    folder = make()
    for name in FOLDERS:
        (folder / name).mkdir()
    return folder


def remove(folder: Path) -> None:
    """Remove a folder with everything in it."""
    remove_tree(folder)
    if (descriptor := _locks.pop(folder, None)) is not None:
        os.close(descriptor)


def remove_leftovers(parent: Path) -> None:
    """Remove the folders whose judge is gone. What has no lock in it is not ours, or just being made."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # in use, another user's, or gone meanwhile
            # SECURITY: in a folder that all may write to, a link to anything may have the name of ours.
            if not _is_ours(folder):
                continue
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                _take(descriptor)
                remove_tree(folder)
            finally:
                os.close(descriptor)


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


@cache
def _remove_leftovers_once(parent: str) -> None:
    if sys.platform != "win32":
        remove_leftovers(Path(parent))


def _lock(folder: Path) -> None:
    if sys.platform == "win32":
        return
    # Locked before it has its name: between the two, another judge could take it for a leftover's.
    making = folder / f".{_LOCK}"
    descriptor = os.open(making, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    _locks[folder] = descriptor
    with contextlib.suppress(OSError):  # a file system without locks: what is left there stays
        _take(descriptor)
        making.rename(folder / _LOCK)


def _take(descriptor: int) -> None:
    """Take the lock, or raise OSError where a judge has it."""
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_tree(folder: Path) -> None:
    """Remove a folder with everything in it, however deep: shutil.rmtree recurses until Python ends it."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists() or sys.platform == "win32":  # no path is that deep there, nor can it be done as below
        return
    with contextlib.suppress(OSError):
        top = os.open(folder, _FOLDER)
        try:
            _empty(top)
        finally:
            os.close(top)
        folder.rmdir()


def _empty(top: int) -> None:
    """Remove what is in a folder. What is inside of folders comes up to the top, so that no path grows too long."""
    numbers = itertools.count()
    for _ in range(_MOST_LEVELS):
        names = os.listdir(top)
        for name in names:
            try:
                inner = _open_folder(name, top)
            except OSError:  # a file, a link
                os.unlink(name, dir_fd=top)
                continue
            try:
                for child in os.listdir(inner):  # noqa: PTH208 - of a descriptor
                    os.rename(child, f".gone-{next(numbers)}", src_dir_fd=inner, dst_dir_fd=top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)
        if not names:
            return


def _open_folder(name: str, top: int) -> int:
    """Return a descriptor of a folder in another, which may be closed to its owner.

    SECURITY: never by a path. A box may outlive its judge by a moment; if it put a link in the place of a folder after
    that was looked at, what the link leads to would be opened to the judge's user and removed.
    """
    try:
        return os.open(name, _FOLDER, dir_fd=top)
    except PermissionError:
        os.chmod(name, stat.S_IRWXU, dir_fd=top)  # no more than that one folder of this user's is this user's alone
        return os.open(name, _FOLDER, dir_fd=top)
