"""The store: the files of every submission, once, under the hash of their names and bytes.

A file of it is written under another name, made safe from a power cut, and only then given its own: what has a hash for
a name is whole. Many are made safe together, because it takes the disk as long as for one.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from autograder.errors import GradeError, UsageError
from autograder.messages import text
from autograder.submission import sha256_of

_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of the .zip format: the same files give the same bytes


class NotWrittenError(UsageError):
    """The disk is full, or broken: nothing more can be recorded."""


def not_written(file: Path, error: object) -> NotWrittenError:
    """Return the error for a file that can't be written."""
    problem = (error.strerror if isinstance(error, OSError) else None) or error
    return NotWrittenError(text("archives.disk", file=file, problem=problem), hint=text("archives.disk_hint"))


class Store:
    """A folder of archives, two letters of the hash a folder.

    Args:
        folder: beside the ledger.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[str, Path] = {}  # by the hash: written, and not yet safe

    def keep(self, files: Mapping[str, bytes]) -> str:
        """Keep files, where they aren't kept yet, and return their hash. Once it returns, they survive a power cut.

        Raises:
            NotWrittenError: the disk is full.
        """
        sha256 = self.write(files)
        self.settle()
        return sha256

    def write(self, files: Mapping[str, bytes]) -> str:
        """Write files, where they aren't kept yet, and return their hash. They are kept once `settle` has returned.

        Raises:
            NotWrittenError: the disk is full.
        """
        sha256 = sha256_of(files)
        path = self._path(sha256)
        if sha256 in self._waiting or path.is_file():
            return sha256
        # A name of its own: two may keep the same files at the same time.
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished.write_bytes(_archive(files))
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise not_written(path, error) from None
        self._waiting[sha256] = unfinished
        return sha256

    def settle(self) -> None:
        """Make safe what was written. Once it returns, it survives a power cut.

        Raises:
            NotWrittenError: it could not be made so; then all of it is forgotten.
        """
        if not self._waiting:
            return
        try:
            _make_safe(self._folder, self._waiting.values())
            for sha256, unfinished in self._waiting.items():
                unfinished.replace(self._path(sha256))
            _make_safe(self._folder, {unfinished.parent for unfinished in self._waiting.values()})
        except OSError as error:
            raise not_written(self._folder, error) from None
        finally:
            self.forget()

    def forget(self) -> None:
        """Remove what was written and is not safe yet."""
        for unfinished in self._waiting.values():
            unfinished.unlink(missing_ok=True)
        self._waiting = {}

    def clean(self) -> None:
        """Remove what others left behind that ended in the middle of writing."""
        for unfinished in self._folder.glob("*/*.part"):
            process = unfinished.suffixes[-2].lstrip(".")
            if process.isdigit() and int(process) != os.getpid() and not psutil.pid_exists(int(process)):
                unfinished.unlink(missing_ok=True)

    def files(self, sha256: str) -> dict[str, bytes]:
        """Return files by their hash.

        Raises:
            GradeError: they are not there, or not what they were.
        """
        try:
            with zipfile.ZipFile(self._path(sha256)) as archive:
                files = {name: archive.read(name) for name in archive.namelist()}
        except (OSError, zipfile.BadZipFile) as error:
            raise GradeError(text("store.unreadable", hash=sha256[:12], problem=error)) from None
        if sha256_of(files) != sha256:
            raise GradeError(text("store.changed", hash=sha256[:12]))
        return files

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}.zip"


def _archive(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _BEGINNING), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _make_safe(folder: Path, paths: Iterable[Path]) -> None:
    """Return when files, or the names in folders, are on the disk.

    Raises:
        OSError: they can't be written there.
    """
    if sys.platform == "linux":
        # All that is waiting for that disk, in one step: a hundred single ones take a spinning disk a second and more.
        with _opened(folder) as descriptor:
            if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return
    for path in paths:
        if os.name == "nt" and path.is_dir():  # has no way to
            continue
        with _opened(path) as descriptor:
            os.fsync(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
