"""What all tests share. What a test needs and is not installed skips it, or fails it under GRADE_REQUIRE_ALL."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("torch", "tensorflow", "matplotlib", "ipykernel", "nbgrader")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for needed in (*NEEDED, "chromium"):
        if item.get_closest_marker(needed) and not _is_here(needed):
            reason = f"{needed} is not installed"
            if os.environ.get("GRADE_REQUIRE_ALL"):
                pytest.fail(f"{reason}, and GRADE_REQUIRE_ALL is set")
            pytest.skip(reason)
    if item.get_closest_marker("real_data") and not os.environ.get("GRADE_DATA_DIR"):
        pytest.skip("GRADE_DATA_DIR is not set: the course's datasets are not here")


def _is_here(needed: str) -> bool:
    if needed == "chromium":
        return importlib.util.find_spec("playwright") is not None and any(map(shutil.which, CHROMIUMS))
    return importlib.util.find_spec(needed) is not None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests run after each other where pytest-xdist runs two: those of the box, and each file's.

    A test of the box looks at what a box has left on the machine, and another such test would have boxes there.
    """
    for item in items:
        of_the_box = item.path.is_relative_to(ROOT / "tests" / "box")
        item.add_marker(pytest.mark.xdist_group("box" if of_the_box else item.path.name))


def pytest_collection_finish() -> None:
    """Keep the collected tests out of what is searched for garbage.

    An attempt in this process is a run of pytest, which ends with such a search: through thousands of tests that stay,
    it took six times as long as the attempt.
    """
    gc.freeze()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the repository: a course with its assignments and solutions."""
    return ROOT


@pytest.fixture(scope="session")
def numpy_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment of this Python with numpy and nothing else; nothing is fetched for it."""
    import numpy as np

    folder = tmp_path_factory.mktemp("other") / "a lesson's environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = (path for path in folder.rglob("site-packages") if path.is_dir())
    installed = Path(np.__file__).parents[1]
    for path in installed.glob("numpy*"):  # numpy, numpy.libs, numpy-….dist-info
        (site / path.name).symlink_to(path)
    return folder
