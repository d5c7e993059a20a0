"""What stands in for torchvision where it is not installed (inside the box): lessons load Fashion-MNIST by it.

    datasets     FashionMNIST and MNIST, from the files that are mounted
    transforms   ToTensor, Normalize, Compose

Anything else of torchvision raises, and says what there is. A real torchvision, or a file of that name that the student
has handed in, is always found first. Loaded by the student's own import, under torchvision's names; only then torch is
needed. The standard library and numpy only.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

NAME = "torchvision"
PARTS = {
    "datasets": ("FashionMNIST", "MNIST"),
    "transforms": ("Compose", "Normalize", "ToTensor"),
}
THERE = ", ".join(f"{part}.{name}" for part, names in PARTS.items() for name in names)
MISSING = f"{NAME} is not installed here"  # what every explanation begins with
_FOLDER = Path(__file__).parent
_FILES = {
    NAME: _FOLDER / "top.py",
    **{f"{NAME}.{part}": _FOLDER / f"{part}.py" for part in PARTS},
}


def offer() -> None:
    """From now on, torchvision is found here where it is found nowhere else."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def is_standing_in() -> bool:
    """Whether it is what the student's code has imported."""
    return getattr(sys.modules.get(NAME), "__file__", None) == str(_FILES[NAME])


def explanation(name: str) -> str:
    """Return why something of torchvision is not there."""
    return f"{MISSING}, and its stand-in has no {name}; it has {THERE}"


class _Finder:
    """Asked after all others: what it is asked for is not installed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in _FILES:
            # Packages, all of them: `from torchvision.datasets import CIFAR10` then asks here for what is missing.
            return importlib.util.spec_from_file_location(
                fullname, _FILES[fullname], submodule_search_locations=[str(_FOLDER / "nothing")]
            )
        if fullname.startswith(f"{NAME}.") and is_standing_in():
            # By its own name it would be taken for a module that an installed torchvision lacks.
            raise ModuleNotFoundError(explanation(fullname[len(NAME) + 1 :]), name=NAME)
        return None
