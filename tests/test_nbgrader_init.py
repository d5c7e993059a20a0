"""`grade nbgrader init` says what it is doing, and makes no course inside a course."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.course import find_course
from autograder.errors import UsageError
from autograder.nbgrader.setup import CONFIG, Wanted, set_up

COURSE = find_course(Path(__file__))


def begun(folder, said):
    return set_up(COURSE, Wanted(folder, ("hw1",), dry_run=True), said.append)


def test_it_says_what_it_is_doing(tmp_path):
    said = []
    assert begun(tmp_path / "class", said)
    making = "hw1: making the notebook, looking for what must stay hidden"
    assert said == [making, "writing due dates into gradebook.db"]


def test_a_course_inside_another_is_refused_with_what_was_meant(tmp_path, monkeypatch):
    """`grade nbgrader init class` in class/ made class/class, and nothing warned."""
    course = tmp_path / "class"
    (course / "source").mkdir(parents=True)
    monkeypatch.chdir(course)
    said = []
    assert begun(course / "class", said)  # source/ alone is not nbgrader's
    (course / CONFIG).touch()
    for inner in ("class", "a/b", "../class/c"):
        with pytest.raises(UsageError, match="inside another one") as refused:
            begun(Path(inner), said)
        assert str(refused.value.hint).splitlines()[0].endswith(": grade nbgrader init .")
    assert begun(Path(), said)
    assert begun(Path("../beside"), said)
