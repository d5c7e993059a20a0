"""The wire codec for another Python: msgspec, which every box needs and a student's environment rarely has.

In this order: its own; grade's own, where compiled modules are made for the same Python and platform; one kept from an
earlier time; one installed now, into the user's cache folder. Only the one package is handed over, never the folder
around it: the box must not see grade's packages. Nothing is written into the other Python's environment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from autograder.box import inquiry
from autograder.errors import UsageError
from autograder.messages import text

OLDEST = (0, 18, 6)  # a test compares it with pyproject.toml
REQUIREMENT = f"msgspec>={'.'.join(map(str, OLDEST))}"
_INSTALL_S = 300.0  # a wheel of 200 kB, over the slowest line that is still a line
_SHOWN_CHARS = 300


def bring_along(
    executable: str,
    abi: str,
    packages: Mapping[str, str],
    environment: Mapping[str, str],
    tell: Callable[[str], None],
) -> str:
    """Return the folder of the msgspec package that a Python is to use; empty where it has one of its own.

    Args:
        executable: the Python.
        abi: what compiled modules must be made for.
        packages: what it has: module → version.
        environment: for its processes.
        tell: told, in a line for the user, that something is installed.

    Raises:
        UsageError: it could not be installed; says how to do it by hand.
    """
    if _is_in_range(packages.get("msgspec", "")):
        return ""
    if abi == inquiry.abi():
        return str(_our_own())
    folder = cache_folder() / re.sub(r"[^\w.-]", "_", f"{REQUIREMENT[9:]}-{abi}")
    if not _is_complete(folder):
        tell(text("python.installing_codec", folder=folder))
        _install(executable, folder, environment, has_pip="pip" in packages)
    return str(folder / "msgspec")


def cache_folder() -> Path:
    """Return the folder of what was installed for other Pythons: one folder for each kind of compiled module."""
    import pooch

    return Path(pooch.os_cache("autograder")) / "worker"


def _is_in_range(version: str) -> bool:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    return bool(numbers) and numbers >= OLDEST


def _our_own() -> Path:
    spec = importlib.util.find_spec("msgspec")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("msgspec")
    return Path(spec.origin).parent


def _is_complete(folder: Path) -> bool:
    return (folder / "msgspec" / "__init__.py").is_file()


def _install(executable: str, folder: Path, environment: Mapping[str, str], *, has_pip: bool) -> None:
    """Install beside, then rename: another grade may be doing the same, and either may be interrupted."""
    # uv makes environments without pip; ours can install for another Python.
    pip = [executable, "-B", "-m", "pip"] if has_pip else [sys.executable, "-m", "pip", "--python", executable]
    options = ["install", "--no-deps", "--only-binary=:all:", "--no-compile", "--disable-pip-version-check"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".installing-") as making:
        target = Path(making) / "made"
        problem = _run([*pip, *options, "--quiet", "--target", str(target), REQUIREMENT], environment)
        if problem is None and _is_complete(target):
            if folder.exists() and not _is_complete(folder):
                shutil.rmtree(folder)
            with contextlib.suppress(OSError):  # the other grade was first
                target.rename(folder)
    if not _is_complete(folder):
        by_hand = shlex.join([*pip, *options, "--target", str(folder), REQUIREMENT])
        raise UsageError(
            text("python.no_codec", python=executable, problem=problem or text("python.nothing_installed")),
            hint=text("python.no_codec_hint", command=by_hand),
        )


def _run(command: list[str], environment: Mapping[str, str]) -> str | None:
    """Run pip; return None, or the line that says why it failed."""
    try:
        done = subprocess.run(
            command, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, timeout=_INSTALL_S,
            check=False, cwd=tempfile.gettempdir(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return text("python.pip_hangs", seconds=f"{_INSTALL_S:g}")
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or [str(done.returncode)]
    return errors[-1].removeprefix("ERROR: ")[:_SHOWN_CHARS]
