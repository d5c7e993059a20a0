"""The submission becomes a module (inside the box): its files are written to the scratch folder, `main` is executed.

Imported inside the box: the standard library, numpy and the protocol only.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np

from autograder.box.cells import Cells
from autograder.box.protocol import MAX_FILES, MAX_PAYLOAD_BYTES, Unsendable

MODULE_NAME = "submission"  # fixed: a file called torch.py or 感知机.py must not choose a name in sys.modules


def is_below(name: str) -> bool:
    r"""SECURITY: return whether a path stays below the folder that it is joined to, on Windows too.

    There `..\x` leads out and `C:x` elsewhere, and neither is absolute for POSIX.
    """
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and not any(char in name for char in "\\:\0")


def write_files(files: dict[str, bytes], folder: Path) -> None:
    """Write the submission's files below `folder`.

    Raises:
        ValueError: a path that leaves the folder; the judge has refused those already.
    """
    for name, content in files.items():
        if not is_below(name):
            raise ValueError(f"{name!r} is not below the folder")
        target = folder.joinpath(*PurePosixPath(name).parts)
        if target.parent != folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def write_new_folder(files: Any, parent: Path) -> str:
    """Make a new folder below `parent` with these files, and return its path."""
    folder = Path(tempfile.mkdtemp(prefix="folder-", dir=parent))
    write_files({name: content.tobytes() for name, content in files.items()}, folder)
    return str(folder)


def read_folder(folder: Path) -> dict[str, np.ndarray[Any, np.dtype[np.uint8]]]:
    """Return the files below a folder, without links.

    Raises:
        Unsendable: too many, too large, or of a name that not every system takes.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    total = sum(path.stat().st_size for path in paths)
    if len(paths) > MAX_FILES or total > MAX_PAYLOAD_BYTES:
        raise Unsendable(f"{len(paths):,} files of {total:,} bytes; at most {MAX_FILES:,} and {MAX_PAYLOAD_BYTES:,}")
    named = {path.relative_to(folder).as_posix(): path for path in paths}
    if refused := next((name for name in named if not is_below(name)), None):
        raise Unsendable(f"a file called {refused!r}: a colon or a backslash can't be in the name of a file")
    return {name: np.fromfile(path, dtype=np.uint8) for name, path in named.items()}


def import_frameworks(names: list[str]) -> None:
    """Import what the submission is about to import, with its chatter thrown away.

    tensorflow writes a page about its own build to stderr; that is not the student's output. One that can't be imported
    is left to the student's own import line, where the error belongs.
    """
    if sys.modules.keys() >= set(names):
        return
    kept = os.dup(1), os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
        os.dup2(null, 2)
        for name in names:
            # Broad: what a broken installation raises at import is anybody's guess.
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in (*kept, null):
            os.close(descriptor)


def import_submission(folder: Path, main: str, given: dict[str, object], cells: Cells | None = None) -> ModuleType:
    """Execute `main` as a module and return it; the names in `given` are there from the start.

    A notebook's is executed cell by cell.

    Its folder goes to the end of sys.path: siblings can be imported, but a student's random.py does not take the place
    of the real one.
    """
    path = folder / main
    alias = Path(main).stem
    is_free = alias.isidentifier() and alias not in sys.modules and importlib.util.find_spec(alias) is None
    sys.path.append(str(path.parent))
    loader = importlib.machinery.SourceFileLoader(MODULE_NAME, str(path))
    spec = importlib.util.spec_from_loader(MODULE_NAME, loader)
    if spec is None:
        raise ImportError(main)
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE_NAME] = module
    if is_free:
        sys.modules[alias] = module  # for a sibling that imports the main file: the same module, not a second one
    vars(module).update(given)
    if cells is None:
        loader.exec_module(module)
    else:
        cells.run(module)
    return module


class _NoIPython:
    """What `get_ipython()` gives a notebook's code here: it takes every magic and does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None


def notebook_names(display: Callable[..., None]) -> dict[str, object]:
    """Return what code in a notebook has without importing it."""
    return {"display": display, "get_ipython": _NoIPython, "In": [], "Out": {}, "_": ""}


def defined_names(module: ModuleType) -> list[str]:
    """Return the names that a near miss may be found among: what the module defines, without imported modules."""
    return [
        name
        for name, value in list(vars(module).items())
        if isinstance(name, str) and not name.startswith("__") and not isinstance(value, ModuleType)
    ][:500]


def own_names(module: ModuleType, folder: Path) -> list[str]:
    """Return the module's functions and classes that the student has written, in whichever file below `folder`.

    `from torch import *` brings a thousand others, and one of them always looks like the name that is missing.
    """
    found = []
    for name in defined_names(module):
        # Broad: what `__module__` gives is the student's code.
        with contextlib.suppress(Exception):
            value = getattr(module, name)
            file = getattr(sys.modules.get(value.__module__), "__file__", None)
            if callable(value) and file and Path(file).is_relative_to(folder):
                found.append(name)
    return found
