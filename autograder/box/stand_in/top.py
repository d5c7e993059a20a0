"""A stand-in for torchvision, which is not installed here; it has a few names of datasets and transforms."""

from __future__ import annotations

from typing import Any

from autograder.box import advice
from autograder.box.stand_in import NAME, PARTS, explanation

__version__ = "0.0.0+stand.in"

advice.note(advice.STAND_IN, NAME)


def __getattr__(name: str) -> Any:
    if name in PARTS:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(name if name.startswith("__") else explanation(name))
