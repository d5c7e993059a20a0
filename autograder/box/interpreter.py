"""Which Python a box runs with: grade's own, or one that the user names (`--python`), such as a conda environment's.

Another Python is asked once what it is and what it has (`inquiry`, in a process of its own, with a time limit). Nothing
is ever written into it. What it lacks for the box is only the wire codec, which `codec` brings along.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import platform
import re
import secrets
import shutil
import site
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from autograder.box import codec, inquiry
from autograder.errors import UsageError
from autograder.messages import text
from autograder.messages.commands import quoted

ENVIRONMENT = "GRADE_PYTHON"
OLDEST = (3, 9)  # what the files that run inside a box are written for
ASK_S = 30.0  # a Python on a network drive, started for the first time
_QUIET = ("-B", "-X", "utf8")  # -B: nothing is ever written into somebody's environment
_CONDA_FOLDERS = (r"Library\mingw-w64\bin", r"Library\usr\bin", r"Library\bin", "Scripts")
_END_S = 5.0  # for a pipe to end whose programs are dead
_MOST_BYTES = 1 << 16  # of an answer; a program that is no Python may print without end
_TELL_VERSION = "import sys; print('Python %d.%d' % sys.version_info[:2])"  # Python 2 reads it, too


class _Answer(BaseModel):
    """What `inquiry` prints: from a program that the user named, so it is checked like any input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    executable: str
    version: str
    implementation: str
    prefix: str
    user_base: str
    abi: str
    packages: dict[str, str]


@dataclass(frozen=True)
class Interpreter:
    """A Python that boxes can be started with."""

    executable: str
    version: str  # "3.12.4"
    prefix: str  # the environment's folder
    user_base: str  # where its packages installed with --user lie
    abi: str  # what compiled modules must be made for
    packages: Mapping[str, str] = field(
        default_factory=dict, hash=False
    )  # module → version, of those `inquiry` asks for
    is_ours: bool = False
    codec: str = ""  # the folder of the msgspec package, where it can't import its own

    def has(self, module: str) -> bool:
        """Return whether it can import a module, as far as that is known without importing."""
        if not self.is_ours:
            return module in self.packages
        return importlib.util.find_spec(module) is not None

    @property
    def command(self) -> str:
        """The interpreter as it is typed in a command."""
        return quoted(self.executable)

    def environment(self, path: str) -> dict[str, str]:
        """Return what its processes need in their environment to work without being activated.

        Args:
            path: the PATH in force.
        """
        prefix, folders = Path(self.prefix), [Path(self.executable).parent]
        made = {"PYTHONUSERBASE": self.user_base}  # found by HOME otherwise
        if is_folder(prefix / "conda-meta"):
            made["CONDA_PREFIX"] = self.prefix
            if sys.platform == "win32":  # numpy's and torch's libraries lie in folders that `conda activate` adds
                folders += [prefix / part for part in _CONDA_FOLDERS]
        if not self.is_ours:
            made["PATH"] = os.pathsep.join([*map(str, folders), path])
        return made


def is_file(path: Path) -> bool:
    """Return whether a file is there, as far as we may look: `Path.is_file` of Python 3.11 raises where we may not."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Return whether a folder is there, as far as we may look."""
    return os.path.isdir(path)  # noqa: PTH112


@functools.cache
def ours() -> Interpreter:
    """Return the Python that this process runs with. What it has is looked up when it is asked."""
    return Interpreter(
        executable=sys.executable,
        version=platform.python_version(),
        prefix=sys.prefix,
        user_base=site.getuserbase(),
        abi=inquiry.abi(),
        is_ours=True,
    )


def choose(given: str | None, tell: Callable[[str], None]) -> Interpreter:
    """Return the Python to run boxes with.

    Args:
        given: an interpreter, or an environment's folder; nothing for grade's own.
        tell: told, in a line for the user, what is installed for it.

    Raises:
        UsageError: not there, not a Python, too old, without numpy, or the codec can't be brought along.
    """
    if not given:
        return ours()
    found = ask(locate(given))
    if is_ours(found):
        return ours()
    if not found.has("numpy"):
        raise UsageError(
            text("python.no_numpy", path=found.executable),
            hint=text("usage.no_framework_hint", python=found.command, package="numpy"),
        )
    environment = clean_environment(os.environ)
    folder = codec.bring_along(found.executable, found.abi, found.packages, environment, tell)
    return replace(found, codec=folder)


def is_ours(found: Interpreter) -> bool:
    """Return whether an interpreter that was asked is the one that this process runs with, under whatever name."""
    return (found.version, Path(found.prefix).resolve()) == (ours().version, Path(sys.prefix).resolve())


def locate(given: str) -> Path:
    """Return the interpreter that the user means: a file, an environment's folder, or a command on PATH.

    Raises:
        UsageError: there is none.
    """
    path = Path(given).expanduser()
    if is_folder(path):
        if found := interpreter_in(path):
            return found
        raise _refused(text("python.none_in_folder", folder=given))
    if is_file(path):
        return path.absolute()  # not resolved: a virtual environment's python is a link, and known by where it lies
    if path.name == given and (command := shutil.which(given)):
        return Path(command).absolute()
    raise _refused(text("python.not_found", path=given))


def interpreter_in(folder: Path) -> Path | None:
    """Return the interpreter of an environment's folder, if it is one."""
    places = (folder / name for name in ("bin/python3", "bin/python", "python.exe", "Scripts/python.exe"))
    return next((place.absolute() for place in places if is_file(place)), None)


@functools.cache
def ask(path: Path, timeout_s: float = ASK_S) -> Interpreter:
    """Ask an interpreter what it is and what it has.

    Raises:
        UsageError: not a Python, too old, does not answer.
    """
    answer = _answer(str(path), timeout_s)
    started = str(path)
    # A shim (pyenv's) finds the real interpreter by HOME, which a box doesn't have; but a wrapper may be needed for
    # what it sets. So: the real one, where it gives the same answer by itself.
    if answer.executable and not _is_same_file(answer.executable, started):
        with contextlib.suppress(UsageError):
            real = _answer(answer.executable, timeout_s)
            if (real.prefix, real.packages) == (answer.prefix, answer.packages):
                answer, started = real, real.executable
    if _version_tuple(answer.version) < OLDEST:
        raise _too_old(path, answer.version)
    if answer.implementation != "CPython":
        raise UsageError(
            text("python.not_cpython", path=path, name=answer.implementation), hint=text("python.find_hint")
        )
    return Interpreter(
        executable=started,
        version=answer.version,
        prefix=answer.prefix,
        user_base=answer.user_base,
        abi=answer.abi,
        packages=answer.packages,
    )


def _is_same_file(one: str, other: str) -> bool:
    """Whether two names are one file in one folder: every virtual environment's python links to the same file."""
    return Path(one).parent.resolve() == Path(other).parent.resolve() and Path(one).resolve() == Path(other).resolve()


def _answer(executable: str, timeout_s: float) -> _Answer:
    mark = secrets.token_hex(8)
    source = Path(inquiry.__file__).read_text(encoding="utf-8")
    said = _said_by([executable, *_QUIET, "-c", source, mark], timeout_s)
    line = next((line.removeprefix(mark) for line in said.splitlines() if line.startswith(mark)), "")
    try:
        return _Answer.model_validate(json.loads(line))
    except (ValueError, ValidationError):
        pass
    # It could not read the file: an old Python, or none at all.
    told = re.fullmatch(r"Python (\d\.\d+)", _said_by([executable, "-c", _TELL_VERSION], timeout_s).strip())
    if told and _version_tuple(told[1]) < OLDEST:
        raise _too_old(Path(executable), told[1])
    raise _refused(text("python.no_python", path=executable))


def clean_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without what is meant for our own Python, PYTHONPATH before all."""
    kept = {name: value for name, value in ours.items() if not name.startswith(("PYTHON", "__PYVENV_LAUNCHER__"))}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"}


def _said_by(command: list[str], timeout_s: float) -> str:
    """Return the beginning of what a program prints.

    Raises:
        UsageError: it can't be started, or does not end.
    """
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=clean_environment(os.environ), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        problem = error.strerror or str(error)
        raise UsageError(
            text("python.cannot_start", path=command[0], problem=problem), hint=text("python.find_hint")
        ) from None
    pipe, came = cast("IO[bytes]", process.stdout), []

    def read() -> None:
        with pipe:
            came.append(pipe.read(_MOST_BYTES))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(timeout_s)
    hangs = reader.is_alive()  # asked before it is killed, which ends the pipe
    _kill(process)
    reader.join(_END_S)
    if hangs:
        raise UsageError(
            text("python.hangs", path=command[0], seconds=f"{timeout_s:g}"), hint=text("python.hangs_hint")
        )
    return came[0].decode("utf-8", "replace") if came else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it with what a wrapper of it has started: that keeps the pipe open."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, 9) if hasattr(os, "killpg") else process.kill()
    process.wait()


def package_of(framework: str) -> str:
    """Return what to install: tensorflow's small package exists for x86-64 Linux and Windows only."""
    if framework == "tensorflow" and sys.platform != "darwin" and platform.machine() in {"x86_64", "AMD64"}:
        return "tensorflow-cpu"
    return framework


def _version_tuple(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _refused(message: str) -> UsageError:
    return UsageError(message, hint=text("python.find_hint"))


def _too_old(path: Path, version: str) -> UsageError:
    return _refused(text("python.too_old", path=path, version=version, oldest=".".join(map(str, OLDEST))))
