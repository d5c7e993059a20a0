"""One nbgrader course with both kinds of assignment: check cells of ours, and tests in the notebook's cells."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.course import find_course
from autograder.messages import speaking, text
from autograder.nbgrader.setup import Wanted, set_up
from autograder.notebook.generate import make_notebook, notebook_files
from autograder.notebook.plain_config import config_lines, plain_config_lines
from tests.plain_course import notebook
from tests.tiny_course import ROOT, environment, write

pytestmark = pytest.mark.nbgrader

COURSE = find_course(Path(__file__))
HW1 = COURSE.assignment("hw1")
CHINESE = next(file for file in notebook_files(HW1) if file.language == "zh")
SOURCE, STUB = (make_notebook(HW1, CHINESE, kind) for kind in ("solution", "stub"))
PLAIN = notebook(
    ("### BEGIN SOLUTION\ndef double(x):\n    return 2 * x\n### END SOLUTION",
     {"grade_id": "double", "solution": True}),
    ("assert double(2) == 4", {"grade_id": "visible", "points": 3}),
    ("assert double(3) == 6\n### BEGIN HIDDEN TESTS\nassert double(-1) == -2\n### END HIDDEN TESTS",
     {"grade_id": "hidden", "points": 4}),
)  # fmt: skip
# A student would rather be graded by a comment than by a test, and by a kernel than by the judge.
OURS_BY_CLAIM = notebook(
    ("def double(x): return 0", {"grade_id": "double", "solution": True}),
    ("from autograder.notebook import check\ncheck('hw1', '1.1')", {"grade_id": "hw1-task-1-1-public", "points": 7}),
    ("assert double(2) == 4", {"grade_id": "visible", "points": 3}),
    ("# hidden", {"grade_id": "hidden", "points": 4}),
)
PLAIN_BY_CLAIM = notebook(("x = 1", {}), ("# nothing", {"grade_id": "hw1-task-1-5-hidden", "points": 9}))


def answer(value):
    made = nbformat.reads(PLAIN, as_version=4)
    made.cells[0].source = f"def double(x):\n    return {value}"
    return nbformat.writes(made)


HAND_INS = {
    "right": (SOURCE, answer("2 * x"), (100, 7)),
    "wrong": (STUB, answer("abs(2 * x)"), (0, 3)),
    "claims": (PLAIN_BY_CLAIM, OURS_BY_CLAIM, (0, 0)),
}


def call(module, root, *arguments, status=0, **env):
    # nbgrader looks for alembic, by that name, where commands are looked for
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments], cwd=root,
        env=environment(PATH=commands, GRADE_LANG="en", **env), capture_output=True, text=True, check=False,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A course in which both have been released and handed in."""
    folder = tmp_path_factory.mktemp("released") / "class"
    arguments = ("--assignment", "hw1", "--notebook-lang", "zh")
    call("autograder", COURSE.folder, "nbgrader", "init", str(folder), *arguments)
    write(folder / "source/ps1/ps1.ipynb", PLAIN)
    for name in ("hw1", "ps1"):
        call("nbgrader", folder, "generate_assignment", name)
    for student, (ours, plain, _) in HAND_INS.items():
        write(folder / f"submitted/{student}/hw1/hw1.ipynb", ours)
        write(folder / f"submitted/{student}/ps1/ps1.ipynb", plain)
    return folder


@pytest.fixture
def root(released, tmp_path):
    """A copy of that course."""
    return shutil.copytree(released, tmp_path / "class")


def scores(root):
    call("nbgrader", root, "export")
    with (root / "grades.csv").open(encoding="utf-8") as file:
        return {(row["student_id"], row["assignment"]): float(row["raw_score"]) for row in csv.DictReader(file)}


@pytest.mark.ci
def test_each_assignment_is_graded_as_it_was_released(root):
    for name in ("hw1", "ps1"):
        call("nbgrader", root, "autograde", name)
    assert scores(root) == {
        (student, name): score
        for student, (_, _, both) in HAND_INS.items()
        for name, score in zip(("hw1", "ps1"), both, strict=True)
    }
    # The feedback is in the notebook's language, whatever whoever grades speaks.
    told = (root / "autograded/wrong/hw1/hw1.ipynb").read_text(encoding="utf-8")
    assert text("check.not_implemented") not in told
    with speaking("zh"):
        assert text("check.not_implemented") in told
    refused = call("autograder", root, "nbgrader", "autograde", "ps1", status=2).stderr
    assert "nbgrader autograde ps1" in refused


def test_security_notebooks_of_ours_are_never_run_for_points(root):
    lines = "\n".join(["c = get_config()", *plain_config_lines(COURSE.spec.limits, 600)])
    config = root / "nbgrader_config.py"
    config.write_text(f"{config.read_text(encoding='utf-8')}{lines}\n", encoding="utf-8")
    said = call("nbgrader", root, "autograde", "hw1", "--student", "wrong", status=1).stderr
    assert text("plain.not_plain", id="hw1") in said
    assert not (root / "autograded/wrong/hw1/hw1.ipynb").exists()


@pytest.mark.parametrize(("written", "validated_s", "plain_s"), [("", 300, 30), ("c.Execute.timeout = 77\n", 77, 77)])
def test_validate_gives_checks_the_time_that_they_train(tmp_path, written, validated_s, plain_s):
    from nbgrader.validator import Validator
    from traitlets.config import PyFileConfigLoader

    from autograder.notebook.safe_execute import SafeExecute

    config = write(tmp_path / "nbgrader_config.py", f"c = get_config()\n{written}")
    set_up(COURSE, Wanted(tmp_path, ("hw1",)), lambda _said: None)
    validator = Validator(config=PyFileConfigLoader(str(config)).load_config())
    execute = next(step for step in Validator.preprocessors.default() if step.__name__ == "Execute")
    assert execute(parent=validator).timeout == validated_s
    assert SafeExecute(config=validator.config).timeout == plain_s


def test_the_pages_say_which_steps_are_written():
    steps = config_lines(COURSE.spec.limits, 600)[:10]
    assert "\n".join(f"    {line}" for line in steps) in (ROOT / "docs/nbgrader.md").read_text(encoding="utf-8")
    assert steps[1].strip(' ",') in (ROOT / "docs/nbgrader-plain.md").read_text(encoding="utf-8")
