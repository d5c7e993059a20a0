"""`grade nbgrader init` says what it is doing, and makes no course inside a course."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.course import find_course
from autograder.errors import UsageError
from autograder.nbgrader.setup import CONFIG, Wanted, set_up
from autograder.submission import find
from tests.tiny_course import write

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


def test_what_check_cells_remember_is_not_collected(tmp_path):
    """A student's own nbgrader may submit `.grade/` along; the course's leaves it where it came from."""
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange.default import ExchangeCollect
    from traitlets.config import Config, PyFileConfigLoader

    set_up(COURSE, Wanted(tmp_path / "class", ("hw1",)), lambda _said: None)
    ours = PyFileConfigLoader(str(tmp_path / "class" / CONFIG)).load_config()
    handed_in = write(tmp_path / "inbound/.grade/attempts/hw1/1.json", "{}").parents[3]
    write(handed_in / "hw1.ipynb", "{}")
    for config, came in ((ours, ["hw1.ipynb"]), (Config(), [".grade", "hw1.ipynb"])):
        to = tmp_path / f"came{len(came)}"
        exchange = ExchangeCollect(coursedir=CourseDirectory(config=config), config=config)
        exchange.do_copy(str(handed_in), str(to))
        assert sorted(path.name for path in to.iterdir()) == came


def test_what_check_cells_remember_is_not_packed(tmp_path):
    folder = write(tmp_path / "hw1/perceptron.py", "def f(x): return x").parent
    write(folder / ".grade/attempts/hw1/1.json", "{}")
    write(folder / "own.py", "")
    assert sorted(find(COURSE.assignment("hw1"), folder, tmp_path).files) == ["own.py", "perceptron.py"]
