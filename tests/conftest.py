"""What all tests share. What a test needs and is not installed skips it, or fails it under GRADE_REQUIRE_ALL."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("torch", "tensorflow", "matplotlib")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for needed in NEEDED:
        if item.get_closest_marker(needed) and importlib.util.find_spec(needed) is None:
            reason = f"{needed} is not installed"
            if os.environ.get("GRADE_REQUIRE_ALL"):
                pytest.fail(f"{reason}, and GRADE_REQUIRE_ALL is set")
            pytest.skip(reason)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the repository: a course with its assignments and solutions."""
    return ROOT
