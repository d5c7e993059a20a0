"""Sealed boxes with another Python: forked from a zygote of that Python, closed by the same layers."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.box import inquiry
from autograder.box.client import BoxClient
from autograder.box.interpreter import Interpreter, choose, ours
from autograder.box.spec import BoxSpec
from autograder.errors import UsageError
from autograder.judge import isolation, trial
from autograder.judge.isolation import Wanted, choose_isolation
from autograder.judge.trial import Trial, exposed, try_python
from tests.box.conftest import BACKENDS, Driven, sealed_only
from tests.box.test_attacks import FOLDER, open_box, outcome, target

__all__ = ["target"]  # a fixture

LONG_S = 60.0

pytestmark = sealed_only

LOOK = """
    import os, sys
    import numpy as np
    def prefix(): return sys.prefix
    def version(): return sys.version.split()[0]
    def modules(): return [name for name in ("pytest", "pydantic", "psutil") if name in sys.modules]
    def found():
        import importlib.util
        return [name for name in ("pytest", "pydantic", "psutil") if importlib.util.find_spec(name)]
    def seen(path): return os.path.exists(path)
    def product(): return np.ones((3, 3)) @ np.ones((3, 3))
    def train(seed=0):
        x, w = np.random.rand(300, 300), np.random.rand(300, 300)
        for _ in range(3): w = w - 1e-4 * (x.T @ (x @ w))
        return w
"""


@pytest.fixture(scope="module")
def another(numpy_only: Path) -> Interpreter:
    """A Python with numpy and nothing else. GRADE_TEST_PYTHON names another one, of another version."""
    python = choose(os.environ.get("GRADE_TEST_PYTHON") or str(numpy_only), lambda _: None)
    assert not python.is_ours
    return python


@pytest.fixture
def opened(another: Interpreter) -> Iterator[Any]:
    """Opens sealed boxes of that Python; they are closed after the test."""
    made: list[BoxClient] = []

    def open_(source: str, isolation: str = "namespaces") -> Driven:
        files = {"answer.py": textwrap.dedent(source).encode()}
        made.append(BoxClient(BoxSpec(files, "answer.py", (), "cpu", python=another, isolation=isolation)))
        return Driven(made[-1])

    yield open_
    for client in made:
        client.close()
        client._output._thread.join(LONG_S)


def test_security_the_box_is_of_that_python_and_has_none_of_grades_packages(opened, another):
    box = opened(LOOK)
    assert box.client.isolation == "namespaces"
    assert (box.call("prefix"), box.call("version")) == (another.prefix, another.version)
    assert (box.call("modules"), box.call("found")) == ([], [])
    assert box.call("product").tolist() == [[3.0] * 3] * 3


def test_security_of_the_machine_it_shows_that_python_and_not_what_lies_beside_it(opened, another, tmp_path):
    secret = tmp_path / "hidden.py"
    secret.write_text("made-up secret")
    box = opened(LOOK)
    assert box.call("seen", f"{another.prefix}/pyvenv.cfg")
    assert not box.call("seen", str(secret))
    assert not box.call("seen", pytest.__file__)


def test_a_training_gives_the_same_bits_as_in_a_fresh_process_of_that_python(opened):
    first, second = (opened(LOOK, how).call("train", seed_=3).tobytes() for how in ("process", "namespaces"))
    assert first == second


@pytest.mark.parametrize(
    "attack", ["system_files", "network", "mounts", "rights", "init", "own_memory", "run_programs"]
)
def test_security_attacks_gain_nothing_there_either(target, monkeypatch, another, attack):
    made = BoxSpec

    def of_another(*arguments: Any, **named: Any) -> BoxSpec:
        return made(*arguments, **{**named, "python": another})

    monkeypatch.setattr("tests.box.test_attacks.BoxSpec", of_another)
    box = open_box((FOLDER / f"{attack}.py").read_text(), "namespaces")
    try:
        came = outcome(box, target.facts)
        assert box.loaded().environment.python == another.version
    finally:
        box.client.close()
        box.client._output._thread.join(LONG_S)
    assert came.get("gains", {}) == {}


# --- whether it can be sealed -----------------------------------------------------------------------------------------


def test_another_python_is_sealed_where_that_shows_nothing_private(another, tmp_path):
    found = choose_isolation(Wanted(device="cpu", private=(tmp_path, Path.home())), another)
    assert (found.isolation, found.why) == ("namespaces", "")
    assert choose_isolation(Wanted("namespaces", "cpu", private=(tmp_path,)), another).isolation == "namespaces"
    assert Path(another.prefix) in try_python(another).shown


def test_security_a_python_whose_folder_has_the_course_in_it_is_not_sealed(another):
    course = Path(another.prefix) / "courses" / "mine"
    found = choose_isolation(Wanted(device="cpu", private=(course,)), another)
    assert found.isolation == "process"
    assert str(course) in found.why
    with pytest.raises(UsageError, match="would show"):
        choose_isolation(Wanted("namespaces", "cpu", private=(course,)), another)


@pytest.mark.parametrize(
    ("shown", "private", "told"),
    [
        ("/home/me", "/home/me", True),
        ("/home", "/home/me", True),
        ("/home/me/.venv", "/home/me", False),
        ("/home/me2", "/home/me", False),
        ("/", "/home/me", False),  # the box's own root
    ],
)
def test_security_what_has_something_private_in_it(shown, private, told):
    assert bool(exposed(Trial("", (Path(shown),)), (Path(private),))) is told


def test_a_python_that_no_box_can_be_started_with_is_not_sealed_and_says_why(another, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'made-up reason' >&2\nexit 1\n")
    broken.chmod(0o755)
    python = replace(another, executable=str(broken))
    found = choose_isolation(Wanted(device="cpu"), python)
    assert found.isolation == "process"
    assert "made-up reason" in found.why


def test_a_python_that_becomes_another_one_in_there_is_not_sealed(another):
    python = replace(another, version="3.9.0")
    assert f"Python {another.version} instead of 3.9.0" in choose_isolation(Wanted(device="cpu"), python).why


def test_grades_own_python_is_not_tried(monkeypatch):
    monkeypatch.setattr(isolation, "try_python", lambda python: pytest.fail("a box was started"))
    assert choose_isolation(Wanted(device="cpu"), ours()).isolation == "namespaces"


@pytest.mark.parametrize("folder", [Path(sys.prefix, "course"), Path("/usr/src/app")])
def test_security_a_course_in_a_folder_that_every_box_shows_is_in_no_closed_box(folder, tmp_path):
    wanted = Wanted(private=(folder,))
    choice = choose_isolation(wanted, ours())
    assert choice.isolation == "process"
    assert str(folder) in choice.why
    with pytest.raises(UsageError, match="would show"):
        choose_isolation(wanted._replace(for_class=True), ours())
    for name in set(BACKENDS) - {"process"}:
        with pytest.raises(UsageError, match=str(folder)):
            choose_isolation(wanted._replace(isolation=name), ours())
    assert choose_isolation(Wanted(private=(tmp_path,)), ours()).isolation == "namespaces"


def test_spaces_in_the_names_of_mounts_are_read():
    assert trial._unescaped(r"/a\040b\134c") == "/a b\\c"


def test_the_compiled_codec_is_for_that_python(another):
    assert another.codec or another.packages.get("msgspec")
    if another.abi == inquiry.abi():
        assert Path(another.codec).is_relative_to(sys.prefix)
