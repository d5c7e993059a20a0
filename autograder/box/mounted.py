"""Datasets that the assignment lets the student's code load: put where torchvision and keras look (inside the box).

    judge ── the .gz files, as they are distributed ──▶ one folder a dataset, read-only ──▶ keras: links in KERAS_HOME
                                                                                       └──▶ torchvision: see below

torchvision looks below a root that the student's code names: `data`, `../data`, `~/data`, a folder of Colab's, or one
that can't be made here. Links in the likely ones would miss the others, and `os.mkdir("data")` would fail for what
nobody has put there. So the root stays as it is, and where it has no such files the class is told to look elsewhere: at
files unpacked when they are first asked for. Then `download=True` has nothing left to do.

Where torchvision is not installed, `stand_in` serves the same files. The standard library and numpy only.
"""

from __future__ import annotations

import gzip
import importlib.abc
import importlib.machinery
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from autograder.box import advice

DATASETS = "/datasets"  # where a sealed box has them, each in a folder of its own


class Known(NamedTuple):
    """A dataset that can be mounted, by the names that libraries have for it."""

    name: str  # as assignment.yml has it
    torchvision: str  # its class, and so the folder below a root
    keras: str  # the folder below KERAS_HOME/datasets


KNOWN = (Known("fashion-mnist", "FashionMNIST", "fashion-mnist"), Known("mnist", "MNIST", "mnist"))
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_IDX_HEAD, _IDX_AXIS = 4, 4  # bytes: of the format, and of each axis' length

_folders: dict[str, Path] = {}  # what is mounted in this box, by name
_importing = [False]


def files_of(numbers: Iterable[int]) -> list[str]:
    """Return the paths of the files of datasets, by their places in KNOWN, below the folder they are mounted in."""
    return [f"{KNOWN[number].name}/{file}.gz" for number in numbers for file in FILES]


def offer(folders: Mapping[str, str]) -> None:
    """Have libraries find datasets from now on; the frameworks have been imported already.

    Args:
        folders: where the .gz files of each lie.
    """
    _folders.update({name: Path(folder) for name, folder in folders.items()})
    for known in KNOWN:
        if known.name in _folders and "keras" in sys.modules:
            _link_for_keras(known)
            _serve_keras(known)
    if _folders:
        sys.meta_path.insert(0, _MnistFinder())


def while_importing(*, begins: bool) -> None:
    """Say that the submission's import begins, or has ended: what is read in between is missed in hidden checks."""
    _importing[0] = begins


def _note(known: Known) -> None:
    if _importing[0]:
        advice.note(advice.LOADED_AT_IMPORT, known.torchvision)


def class_named(name: str) -> Known | None:
    """Return the dataset of a torchvision class, if it is mounted here."""
    return next((known for known in KNOWN if known.torchvision == name and known.name in _folders), None)


def read(known: Known, file: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the array in one of a dataset's files: images [n, 28, 28], labels [n]."""
    _note(known)
    with gzip.open(_folders[known.name] / f"{file}.gz") as opened:
        content = opened.read()
    axes = content[_IDX_HEAD - 1]
    shape = np.frombuffer(content, ">u4", axes, _IDX_HEAD)
    values = np.frombuffer(content, np.uint8, offset=_IDX_HEAD + _IDX_AXIS * axes)
    array: np.ndarray[Any, np.dtype[np.uint8]] = values.reshape(shape).copy()
    return array


# --- torchvision ------------------------------------------------------------------------------------------------------

_MODULE = "torchvision.datasets.mnist"
_unpacked: dict[str, str] = {}


class _MnistFinder(importlib.abc.MetaPathFinder):
    """Finds torchvision's module where it is, and has it looking here once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _MnistLoader(spec.loader)
        return spec


class _MnistLoader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        look_here(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # get_source and the like, for tracebacks


def look_here(module: Any) -> None:
    """Have torchvision's MNIST and those derived from it look here where their root has no such files."""
    own = module.MNIST.raw_folder.fget

    def raw_folder(self: Any) -> str:
        folder: str = own(self)
        known = class_named(type(self).__name__)
        has_files = all(any(Path(folder, file + end).is_file() for end in ("", ".gz")) for file in FILES)
        return folder if known is None or has_files else _unpack(known)

    module.MNIST.raw_folder = property(raw_folder)


def _unpack(known: Known) -> str:
    """Return the folder of a dataset's files as torchvision reads them, which is not packed."""
    _note(known)
    if known.name not in _unpacked:
        folder = Path(tempfile.mkdtemp(prefix=f"{known.name}-"))
        for file in FILES:
            with gzip.open(_folders[known.name] / f"{file}.gz") as packed, (folder / file).open("wb") as made:
                shutil.copyfileobj(packed, made, 1 << 20)
        _unpacked[known.name] = str(folder)
    return _unpacked[known.name]


# --- keras ------------------------------------------------------------------------------------------------------------


_KERAS_ARCHIVE = "mnist.npz"


def _keras_folder() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"


def _link_for_keras(known: Known) -> None:
    folder = _keras_folder() / known.keras
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        source, target = _folders[known.name] / f"{file}.gz", folder / f"{file}.gz"
        try:
            target.symlink_to(source)
        except OSError:  # Windows, for most of its users
            shutil.copyfile(source, target)


def _serve_keras(known: Known) -> None:
    """Have keras' `load_data` find what it wants without asking for an address.

    Of MNIST that is an archive of its own form, which is made when it is first asked for.
    """
    module: Any = sys.modules.get(f"keras.src.datasets.{known.keras.replace('-', '_')}")
    if module is None:
        return
    fetch = module.get_file

    def get_file(*args: Any, **kwargs: Any) -> Any:
        _note(known)
        if (args[0] if args else kwargs.get("fname")) != _KERAS_ARCHIVE:
            return fetch(*args, **kwargs)
        made = _keras_folder() / _KERAS_ARCHIVE
        if not made.exists():
            x_train, y_train, x_test, y_test = (read(known, file) for file in FILES)
            np.savez(made, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
        return str(made)

    module.get_file = get_file
