"""Datasets: found where they lie, fetched from mirrors, verified, read. The judge reads them; nothing is executed.

`registry` holds the facts, `reading` finds and reads files, `fetching` downloads and imports them. numpy is imported
with the names here; course.py needs the registry only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from autograder.datasets.registry import DATASETS as DATASETS
from autograder.datasets.registry import Dataset as Dataset

if TYPE_CHECKING:
    from autograder.datasets.fetching import fetch as fetch
    from autograder.datasets.fetching import import_files as import_files
    from autograder.datasets.reading import Images as Images
    from autograder.datasets.reading import Split as Split
    from autograder.datasets.reading import cache_folder as cache_folder
    from autograder.datasets.reading import find as find
    from autograder.datasets.reading import load as load
    from autograder.datasets.reading import load_folder as load_folder
    from autograder.datasets.reading import packed_folder as packed_folder
    from autograder.datasets.reading import states as states

_HOME = {
    **dict.fromkeys(("fetch", "import_files"), "fetching"),
    **dict.fromkeys(
        ("Images", "Split", "cache_folder", "find", "load", "load_folder", "packed_folder", "states"), "reading"
    ),
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(importlib.import_module(f"autograder.datasets.{_HOME[name]}"), name)
    raise AttributeError(name)
