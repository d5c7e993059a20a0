"""Where datasets lie on this machine, and what is in their files.

Looked for in `GRADE_DATA_DIR` or else the user's cache folder, then where Debian's packages put them. Whatever the
folder, a file counts by the hash of its decompressed bytes.
"""

from __future__ import annotations

import atexit
import gzip
import hashlib
import math
import os
import shutil
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autograder.datasets.registry import DATASETS, NAMES, Dataset, IdxFile
from autograder.errors import UsageError
from autograder.messages import text
from autograder.results import DatasetState

ENVIRONMENT = "GRADE_DATA_DIR"
SYSTEM_FOLDERS = (Path("/usr/share/datasets"),)  # Debian: dataset-fashion-mnist
_FAST = 1  # of gzip's levels: read once or twice
_MAX_DIMENSIONS = 3
_UNSIGNED_BYTES = 0x08  # idx: the element type of all files here


class Images(NamedTuple):
    """A labelled set: images uint8 [n, 28, 28], labels int64 [n]."""

    images: np.ndarray[Any, np.dtype[np.uint8]]
    labels: np.ndarray[Any, np.dtype[np.int64]]


class Split(NamedTuple):
    """A dataset as it is used: one set to train with, one to measure with."""

    train: Images
    test: Images


def cache_folder() -> Path:
    """Return the folder that datasets are put into: GRADE_DATA_DIR, else the platform's user cache."""
    if given := os.environ.get(ENVIRONMENT):
        return Path(given)
    import pooch

    return Path(pooch.os_cache("autograder"))


def find(dataset: Dataset) -> Path | None:
    """Return the folder that holds all files of a dataset, gzipped or not, or None. Its bytes are not looked at."""
    for root in (cache_folder(), *SYSTEM_FOLDERS):
        for folder in (root / dataset.folder, root / dataset.name / dataset.folder, root / dataset.name):
            if all(file_in(folder, one.name) for one in dataset.files):
                return folder
    return None


def states() -> list[DatasetState]:
    """Return what is known of every dataset, and where it lies."""
    return [
        DatasetState(
            name=dataset.name,
            folder=str(folder) if (folder := find(dataset)) else None,
            download_bytes=dataset.gz_bytes,
            licence=dataset.licence,
        )
        for dataset in DATASETS.values()
    ]


def file_in(folder: Path, name: str) -> Path | None:
    """Return the file of that name in a folder, gzipped or not."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def load(dataset: Dataset) -> Split:
    """Return a dataset that is on this machine, verified. Its arrays can't be written to.

    Raises:
        UsageError: it is not here, or its bytes are not those of the dataset.
    """
    folder = find(dataset)
    if folder is None:
        raise UsageError(text("data.not_here", name=dataset.name), hint=text("data.fetch_hint", name=dataset.name))
    return _split([verified(folder, one) for one in dataset.files])


def packed_folder(dataset: Dataset) -> Path:
    """Return a folder with the .gz files of a dataset that is on this machine, verified: what boxes are given to read.

    Raises:
        UsageError: it is not here, or its bytes are not those of the dataset.
    """
    folder = find(dataset)
    if folder is None:
        raise UsageError(text("data.not_here", name=dataset.name), hint=text("data.fetch_hint", name=dataset.name))
    return _packed(dataset, folder)


@cache  # half a second: once a command
def _packed(dataset: Dataset, folder: Path) -> Path:
    contents = {f"{file.name}.gz": verified(folder, file) for file in dataset.files}
    if all((folder / name).is_file() for name in contents):
        return folder
    made = Path(tempfile.mkdtemp(prefix="grade-data-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    for name, content in contents.items():
        (made / name).write_bytes(gzip.compress(content, _FAST))
    return made


def load_folder(folder: Path) -> Split:
    """Return the set in a folder with files of the official names, such as the part that an assignment ships.

    Raises:
        UsageError: a file is missing or damaged.
    """
    return _split([_decompressed(folder, name, None) for name in NAMES])


def verified(folder: Path, file: IdxFile) -> bytes:
    """Return the decompressed bytes of a file of a dataset.

    Raises:
        UsageError: it is not there, damaged, or another file.
    """
    content = _decompressed(folder, file.name, file.size_bytes)
    if len(content) != file.size_bytes or hashlib.sha256(content).hexdigest() != file.sha256:
        raise UsageError(text("data.wrong_bytes", file=file_in(folder, file.name)), hint=text("data.wrong_bytes_hint"))
    return content


def _decompressed(folder: Path, name: str, size_bytes: int | None) -> bytes:
    """Return a file's bytes, of a dataset's file one more than there should be at most: a .gz may be a bomb."""
    path = file_in(folder, name)
    if path is None:
        raise UsageError(text("data.file_missing", file=name, folder=folder))
    most = -1 if size_bytes is None else size_bytes + 1
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(most)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(text("data.damaged", file=path, problem=error), hint=text("data.wrong_bytes_hint")) from None


def _split(contents: list[bytes]) -> Split:
    images, labels, test_images, test_labels = (parse_idx(content) for content in contents)
    return Split(_labelled(images, labels), _labelled(test_images, test_labels))


def _labelled(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Images:
    if images.ndim != _MAX_DIMENSIONS or labels.shape != images.shape[:1]:
        raise UsageError(text("data.not_labelled", images=images.shape, labels=labels.shape))
    wide = labels.astype(np.int64)
    wide.flags.writeable = False  # all checks share it
    return Images(images, wide)


def parse_idx(content: bytes) -> np.ndarray[Any, Any]:
    """Return the array of an idx file (the format is described on the MNIST page): uint8 [n] or [n, rows, columns].

    Raises:
        UsageError: not an idx file of unsigned bytes, or of another length than its header says.
    """
    dimensions = content[3] if len(content) > _MAX_DIMENSIONS else 0
    start = 4 + 4 * dimensions
    if content[:3] != bytes([0, 0, _UNSIGNED_BYTES]) or not 0 < dimensions <= _MAX_DIMENSIONS or len(content) < start:
        raise UsageError(text("data.not_idx"))
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise UsageError(text("data.not_idx"))
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
