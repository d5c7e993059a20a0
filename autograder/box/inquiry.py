"""What a Python says of itself. Run by the Python that is asked, in a process of its own; standard library only.

Nothing is imported to find out whether it is there: torch takes seconds, and a broken one takes the answer with it.
The file is handed over as text (`python -c`), so that none of our folders is on the other Python's path.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import json
import platform
import site
import sys
import sysconfig

# Modules that are asked for, and the distributions that may have brought them.
MODULES = {
    "numpy": ("numpy",),
    "msgspec": ("msgspec",),
    "pip": ("pip",),
    "torch": ("torch",),
    "tensorflow": (
        "tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos", "tensorflow-gpu",
        "tensorflow-cpu-aws", "tensorflow-rocm", "tf-nightly",
    ),
}  # fmt: skip


def has(module: str) -> bool:
    """Return whether a module can be found. A folder without `__init__.py`, left by an uninstall, is none."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def version_of(module: str) -> str:
    """Return the installed version, or an empty text where no distribution tells it."""
    for name in MODULES[module]:
        try:
            return importlib.metadata.version(name) or ""
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def abi() -> str:
    """Return what compiled modules must be made for: Python's version, kind and platform."""
    return f"{sysconfig.get_platform()}{importlib.machinery.EXTENSION_SUFFIXES[0]}"


def look() -> dict[str, object]:
    """Return everything that is asked."""
    return {
        "executable": sys.executable or "",
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "prefix": sys.prefix,
        "user_base": site.getuserbase(),
        "abi": abi(),
        "packages": {module: version_of(module) for module in MODULES if has(module)},
    }


if __name__ == "__main__":
    # Its own line, marked: a sitecustomize or a .pth file may print as well.
    print(f"\n{sys.argv[1]}{json.dumps(look())}", flush=True)  # noqa: T201 - this is how it answers
