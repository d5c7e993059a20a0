"""Datasets fetched from mirrors, or imported from files that somebody has: verified before anybody finds them."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from autograder.datasets.reading import cache_folder, verified
from autograder.datasets.registry import Dataset, IdxFile
from autograder.errors import UsageError
from autograder.messages import text

_TIMEOUT_S = 20  # without an answer, or between two pieces of one: then the next mirror is asked
_GZIP_OVERHEAD = 1024  # what does not compress grows by a header and its file's name
_MOST_FILES = 100_000  # in a folder that is searched for a dataset's files


class Bar(Protocol):
    """A progress bar as pooch moves it, in bytes."""

    total: int

    def update(self, amount: int) -> None:
        """So many bytes more have come."""

    def reset(self) -> None:
        """It begins again: pooch sets the bar to full at the end, in this way."""

    def close(self) -> None:
        """The download has ended."""


class FetchListener:
    """Told what is going on while a dataset is fetched; this one keeps silent."""

    def bar(self, file: IdxFile) -> Bar | None:  # noqa: ARG002 - for those that show one
        """Return the bar for a file that is about to be downloaded."""
        return None

    def mirror_failed(self, mirror: str, problem: str) -> None:
        """A mirror did not give the file; the next one is asked."""


def fetch(dataset: Dataset, listener: FetchListener) -> Path:
    """Download a dataset into the cache folder, each file from the first mirror that gives the right bytes.

    Args:
        dataset: which.
        listener: told of files and of mirrors that failed.

    Returns:
        The folder it lies in.

    Raises:
        UsageError: no mirror gave a file, or the cache folder can't be written.
    """
    with _staging(dataset) as staging:
        for file in dataset.files:
            _fetch_file(dataset, file, staging, listener)
        return _install(dataset, staging)


def _fetch_file(dataset: Dataset, file: IdxFile, folder: Path, listener: FetchListener) -> None:
    import pooch

    pooch.get_logger().setLevel("ERROR")  # it would write its own lines, in English
    name = f"{file.name}.gz"
    for mirror in dataset.mirrors:
        downloader = pooch.HTTPDownloader(progressbar=listener.bar(file), timeout=_TIMEOUT_S)
        try:
            # known_hash=None: the hash that counts is of the decompressed bytes, which all mirrors agree on.
            pooch.retrieve(mirror + name, known_hash=None, fname=name, path=folder, downloader=downloader)
            verified(folder, file)
        except (OSError, UsageError, ValueError) as error:  # requests' own errors are OSErrors
            listener.mirror_failed(mirror, _in_words(error))
        else:
            return
        (folder / name).unlink(missing_ok=True)
    raise UsageError(
        text("data.no_mirror", name=dataset.name, file=name), hint=text("data.import_hint", name=dataset.name)
    )


def _in_words(error: Exception) -> str:
    """Return why a mirror gave nothing; what requests says of a missing network goes over five lines."""
    from requests import ConnectionError as Unreachable
    from requests import Timeout

    if isinstance(error, Timeout):
        return text("data.no_answer", seconds=_TIMEOUT_S)
    if isinstance(error, Unreachable):
        return text("data.unreachable")
    return " ".join(str(error).split())


def import_files(dataset: Dataset, source: Path) -> Path:
    """Copy a dataset's files from a folder or a .zip into the cache folder.

    Args:
        dataset: which.
        source: a folder with the files, at any depth, or a .zip of one.

    Returns:
        The folder that they lie in now.

    Raises:
        UsageError: a file is missing there or has other bytes.
    """
    with _staging(dataset) as staging:
        if source.is_dir():
            _copy_from_folder(dataset, source, staging)
        elif zipfile.is_zipfile(source):
            _copy_from_zip(dataset, source, staging)
        else:
            raise UsageError(text("data.no_source", source=source), hint=text("data.no_source_hint"))
        for file in dataset.files:
            verified(staging, file)
        return _install(dataset, staging)


def _copy_from_folder(dataset: Dataset, source: Path, staging: Path) -> None:
    found: dict[str, Path] = {}
    for number, path in enumerate(source.rglob("*")):
        if number > _MOST_FILES:
            raise UsageError(text("data.too_many", folder=source, most=_MOST_FILES))
        if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises in a folder that is not ours to read
            found.setdefault(path.name, path)
    for file in dataset.files:
        here = found.get(f"{file.name}.gz") or found.get(file.name)
        if here is None:
            raise UsageError(text("data.file_missing", file=file.name, folder=source))
        try:
            shutil.copyfile(here, staging / here.name)
        except OSError as error:
            raise UsageError(text("data.cannot_copy", file=here, folder=staging.parent, problem=error)) from None


def _copy_from_zip(dataset: Dataset, source: Path, staging: Path) -> None:
    try:
        _unpack(dataset, source, staging)
    except OSError as error:
        raise UsageError(text("data.cannot_copy", file=source, folder=staging.parent, problem=error)) from None
    # Damaged, encrypted, packed in a way that is not known.
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise UsageError(text("data.damaged", file=source, problem=error)) from None


def _unpack(dataset: Dataset, source: Path, staging: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        entries = {PurePosixPath(one.filename).name: one for one in archive.infolist() if not one.is_dir()}
        for file in dataset.files:
            found = entries.get(f"{file.name}.gz") or entries.get(file.name)
            # SECURITY: archives may be bombs: what says that it is larger than the file it should be is not unpacked,
            # and zipfile reads no more than an entry says. Names are ours, not the archive's.
            if found is None or found.file_size > file.size_bytes + _GZIP_OVERHEAD:
                raise UsageError(text("data.file_missing", file=file.name, folder=source))
            content = archive.read(found)
            name = f"{file.name}.gz" if found.filename.endswith(".gz") else file.name
            (staging / name).write_bytes(content)


@contextmanager
def _staging(dataset: Dataset) -> Iterator[Path]:
    """Give a folder beside the target: nothing half-written is ever found where datasets are looked for."""
    parent = (cache_folder() / dataset.folder).parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".fetching-", dir=parent))
    except OSError as error:
        raise _no_cache(parent, error) from None
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _install(dataset: Dataset, staging: Path) -> Path:
    target = cache_folder() / dataset.folder
    try:
        target.mkdir(exist_ok=True)
        for path in sorted(staging.iterdir()):
            path.replace(target / path.name)
            # In its other form it may lie there from before, damaged, and one of the two is found first.
            plain = path.name.removesuffix(".gz")
            (target / (plain if path.suffix == ".gz" else f"{plain}.gz")).unlink(missing_ok=True)
    except OSError as error:
        raise _no_cache(target, error) from None
    return target


def _no_cache(folder: Path, error: OSError) -> UsageError:
    return UsageError(text("data.no_cache", folder=folder, problem=error), hint=text("data.no_cache_hint"))
