"""Which folders this Python needs to be seen in a root of its own."""

from __future__ import annotations

import site
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath

_USR = "/usr"


def needed_folders(packages: Iterable[Path]) -> tuple[str, ...]:
    """Return the folders that this Python, its libraries and some packages are read from; none inside another.

    SECURITY: the folders of the interpreter and of installed packages, and never an entry of sys.path as such: that may
    be the course's own folder, with the hidden checks in it.

    Args:
        packages: folders of packages that are imported from elsewhere.
    """
    installed = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    installed += [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *_linked(installed)]
    candidates = [_USR, *installed, *map(str, packages), *_libraries(Path("/proc/self/maps").read_text())]
    return without_nested(path for path in map(_absolute, candidates) if Path(path).is_dir())


def _linked(installed: list[str]) -> list[str]:
    """Return what packages are links to: some installers keep each package once, for all environments."""
    folders = [Path(folder) for folder in installed if Path(folder).is_dir()]
    return [str(entry.resolve()) for folder in folders for entry in folder.iterdir() if entry.is_symlink()]


def without_nested(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths without those that lie below another; a parent before what was mounted below it."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda path: len(PurePath(path).parts)):
        if path != "/" and not any(PurePath(path).is_relative_to(outer) for outer in kept):
            kept.append(path)
    return tuple(kept)


def _absolute(path: str) -> str:
    return str(Path(path).absolute())


def _libraries(maps: str) -> list[str]:
    """Return the folders of the libraries that are loaded: where a distribution keeps them outside of /usr."""
    files = {line.split(maxsplit=5)[5] for line in maps.splitlines() if len(line.split(maxsplit=5)) == 6}  # noqa: PLR2004
    found = {str(Path(file).parent) for file in files if ".so" in file and file.startswith("/")}
    return [folder for folder in found if folder not in {"/lib", "/lib64"} and not folder.startswith("/lib/")]
