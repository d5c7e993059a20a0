"""Matplotlib draws with Agg in here, whatever the student's code asks for (inside the box): the standard library only.

The environment says so already (MPLBACKEND), but `matplotlib.use("TkAgg")` overrules it. Without a display that raises;
with one, on the student's own laptop, a window would open, and `plt.show()` would wait for somebody to close it.
Matplotlib is not imported for this: the hook acts when the student's code imports pyplot, if it ever does.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

_PYPLOT = "matplotlib.pyplot"
_AGG = "agg"
_WITHOUT_WINDOWS = frozenset([_AGG, "cairo", "pdf", "pgf", "ps", "svg", "template"])
_screens: list[Callable[[], bool]] = []


def show_by(show: Callable[[], bool]) -> None:
    """From now on `plt.show()` calls this first; it returns whether it has shown what there is."""
    _screens[:] = [show]


def draw_with_agg() -> None:
    """From now on pyplot, when it is imported, has no backend that opens windows."""
    if not any(isinstance(finder, _PyplotFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PyplotFinder())


class _PyplotFinder(importlib.abc.MetaPathFinder):
    """Finds pyplot where it is, and has it loaded by `_PyplotLoader`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _PYPLOT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PyplotLoader(spec.loader)
        return spec


class _PyplotLoader(importlib.abc.Loader):
    """Loads pyplot as `loader` does, between the two places where a backend is chosen."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Older versions load the backend that `use` has asked for while pyplot is imported, newer ones at first use.
        # Not by what it is now: to look at the setting can load pyplot.
        matplotlib: Any = sys.modules["matplotlib"]
        matplotlib.rcParams["backend"] = _AGG
        self._loader.exec_module(module)
        switch = module.switch_backend

        @functools.wraps(switch)
        def switch_backend(newbackend: object) -> None:
            switch(_without_windows(newbackend))

        module.switch_backend = switch_backend  # type: ignore[attr-defined]  # what `use` and the first figure call
        show = module.show

        @functools.wraps(show)
        def on_screen(*args: object, **kwargs: object) -> object:
            return None if any(screen() for screen in _screens) else show(*args, **kwargs)

        module.show = on_screen  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # get_source and the like, for tracebacks


def _without_windows(backend: object) -> str:
    """Return the backend, or Agg for one that opens windows, or that a notebook has."""
    return backend if isinstance(backend, str) and backend.lower() in _WITHOUT_WINDOWS else _AGG
