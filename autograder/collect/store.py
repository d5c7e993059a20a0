"""The store: the files of every submission, once, under the hash of their names and bytes."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from autograder.errors import GradeError
from autograder.messages import text
from autograder.submission import sha256_of

_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of the .zip format: the same files give the same bytes


class Store:
    """A folder of archives, two letters of the hash a folder.

    Args:
        folder: beside the ledger.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, files: Mapping[str, bytes]) -> str:
        """Keep files, where they aren't kept yet, and return their hash. Once it returns, they survive a power cut."""
        sha256 = sha256_of(files)
        path = self._path(sha256)
        if path.is_file():
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A name of its own: two may keep the same files at the same time.
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        with unfinished.open("wb") as file:
            file.write(_archive(files))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync_folder(path.parent)
        return sha256

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


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # has no way to
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
