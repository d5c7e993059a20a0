"""Where a machine keeps its Pythons: PATH, conda, pyenv, uv, virtual environments nearby, the installers' folders.

`candidates` only looks at folders; `find` asks each that it named, several at a time.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from autograder.box.interpreter import Interpreter, ask, interpreter_in, is_file
from autograder.errors import UsageError

_ASK_S = 10.0  # one that takes longer would be no pleasure to work with, either
_AT_A_TIME = 8  # they wait for the disk more than they compute
_MOST = 200  # candidates; a cluster's module folders can hold any number
_NAME = re.compile(r"python(3(\.\d+)?)?(\.exe)?", re.IGNORECASE)
# Folders of PATH that hold no interpreters of their own: pyenv's shims, and Windows' stubs that open a shop.
_NOT_IN = ("shims", "WindowsApps")
_CONDA = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", "Miniconda3", "Anaconda3")
_NEARBY = (".venv", "venv", "env")
_LEVELS_UP = 3  # from the working directory: an assignment's folder lies two below its course


class Found(NamedTuple):
    """A Python of this machine: what it says of itself, or why it can't be used."""

    path: Path
    interpreter: Interpreter | None
    problem: str = ""


def find(cwd: Path) -> list[Found]:
    """Return the Pythons of this machine, each once: the one that this runs with, then in the order of the places."""
    paths = [Path(sys.executable), *candidates(os.environ, Path.home(), cwd)]
    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        answers = list(threads.map(_ask, paths))
    once: dict[object, Found] = {}
    for found in answers:
        known_by = Path(found.interpreter.prefix).resolve() if found.interpreter else found.path
        once.setdefault(known_by, found)
    return list(once.values())


def _ask(path: Path) -> Found:
    try:
        return Found(path, ask(path, _ASK_S))
    except UsageError as error:
        return Found(path, None, error.message)


def candidates(environ: Mapping[str, str], home: Path, cwd: Path, platform: str = sys.platform) -> list[Path]:
    """Return the interpreters that lie in the usual places; several names of one file in one folder count once."""
    once: dict[tuple[Path, Path], Path] = {}
    for path in _everywhere(environ, home, cwd, platform):
        once.setdefault((path.parent.resolve(), path.resolve()), path)
    return list(once.values())[:_MOST]


def _everywhere(environ: Mapping[str, str], home: Path, cwd: Path, platform: str) -> Iterator[Path]:
    """Yield interpreters: what is nearest to the student first."""
    for folder in _environments(environ, home, cwd, platform):
        if interpreter := interpreter_in(folder):
            yield interpreter
    for entry in environ.get("PATH", "").split(os.pathsep):
        folder = Path(entry)
        if entry and folder.name not in _NOT_IN:
            yield from (path for path in _children(folder) if _NAME.fullmatch(path.name) and is_file(path))


def _environments(environ: Mapping[str, str], home: Path, cwd: Path, platform: str) -> Iterator[Path]:
    yield from (Path(environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if environ.get(name))
    for folder in [cwd, *cwd.parents][:_LEVELS_UP]:
        yield from (folder / name for name in _NEARBY)
    yield from _conda(environ, home)
    yield from _children(Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions")
    yield from _children(home / ".pyenv" / "pyenv-win" / "versions")
    yield from _children(Path(environ.get("WORKON_HOME") or home / ".virtualenvs"))
    yield from _children(home / ".local" / "share" / "uv" / "python")
    if platform == "win32":
        for name in ("LOCALAPPDATA", "PROGRAMFILES"):
            root = Path(environ.get(name) or home)
            yield from (*_children(root / "Programs" / "Python"), *root.glob("Python3*"))
    if platform == "darwin":
        yield from _children(Path("/Library/Frameworks/Python.framework/Versions"))
        yield from (Path("/opt/homebrew"), Path("/usr/local"))


def _conda(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Yield conda's and mamba's environments: those that they list, and those in the usual folders."""
    try:
        listed = (home / ".conda" / "environments.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        listed = ""
    yield from (Path(line.strip()) for line in listed.splitlines() if line.strip())
    roots = [home / name for name in _CONDA] + [Path("/opt") / name for name in ("conda", *_CONDA)]
    roots += [Path(environ[name]) for name in ("MAMBA_ROOT_PREFIX",) if environ.get(name)]
    roots += [Path(environ["PROGRAMDATA"]) / name for name in _CONDA if environ.get("PROGRAMDATA")]
    if environ.get("CONDA_EXE"):
        roots.append(Path(environ["CONDA_EXE"]).parent.parent)
    for root in [home / ".conda", *roots]:
        yield from (root, *_children(root / "envs"))


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # not there, or not ours to read
        return []
