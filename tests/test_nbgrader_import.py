"""`grade nbgrader import`: plain nbgrader notebooks as assignments of ours."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import nbformat
import pytest
import yaml

from autograder.course import load_course
from autograder.errors import UsageError
from autograder.notebook.cell_checks import Names, NotTranslatable, translate
from autograder.notebook.importing import import_notebook
from autograder.release import release_stubs
from autograder.validate import validate
from tests.tiny_course import ROOT, grade, make_course, write


def cell(source, **kind):
    made = nbformat.v4.new_code_cell(source)
    made.metadata["nbgrader"] = {"grade": False, "solution": False, "locked": False, "schema_version": 3, **kind}
    return made


def solution(source, grade_id="answer", **kind):
    return cell(source, solution=True, grade_id=grade_id, **kind)


def asking(source, grade_id, points):
    return cell(source, grade=True, grade_id=grade_id, points=points)


def words(source, **kind):
    made = nbformat.v4.new_markdown_cell(source)
    if kind:
        made.metadata["nbgrader"] = {"grade": False, "solution": False, "schema_version": 3, **kind}
    return made


MEAN = """\
def mean(xs):
    \"\"\"The mean of xs.\"\"\"
    ### BEGIN SOLUTION
    if not xs:
        raise ValueError("nothing")
    return sum(xs) / len(xs)
    ### END SOLUTION"""
WHOLE = [
    words("# Means\n\nWrite a mean."),
    cell("import math\nfrom math import isclose\n\nXS = [1.0, 2.0, 4.5]\n\ndef close(a, b):\n    return isclose(a, b)"),
    solution(MEAN),
    cell("mean([1, 2])"),
    asking(
        '"""mean is the mean"""\nassert mean([1, 2, 3]) == 2\n### BEGIN HIDDEN TESTS\n# of the constants\n'
        "assert close(mean(XS), 2.5)\n### END HIDDEN TESTS",
        "correct",
        4,
    ),
    asking(
        "try:\n    mean([])\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('nothing')\nprint('fine')",
        "empty input",
        1,
    ),
    solution("SCALE = 3\n\ndef scaled(xs):\n    return [SCALE * mean(xs)]", "second"),
    asking(
        "### BEGIN HIDDEN TESTS\nfor n in range(1, 3):\n    assert scaled([n] * 3)[0] == SCALE * n\n"
        "### END HIDDEN TESTS",
        "s",
        3,
    ),
    words("the answer in words", grade=True, solution=True, grade_id="words", points=2),
]  # fmt: skip


@pytest.fixture
def course(tmp_path):
    return load_course(make_course(tmp_path))


def save(tmp_path, cells, name="Problem 1.ipynb"):
    return write(tmp_path / name, nbformat.writes(nbformat.v4.new_notebook(cells=cells)))


def test_a_notebook_of_assertions_becomes_an_assignment_that_validates(course, tmp_path):
    made = import_notebook(course, save(tmp_path, WHOLE), None)
    assert (made.assignment_id, made.translated, made.checks) == ("problem1", 4, 4)
    loaded = course.assignment("problem1")
    assert {task.id: (task.points.public, task.points.hidden) for task in loaded.spec.tasks} == {
        "1": (3, 2),
        "2": (0, 3),
    }
    assert loaded.spec.entry.names == ("mean", "scaled", "SCALE")
    release_stubs(loaded, write=True)
    found = validate([loaded], workers=1, tell=lambda *_: None)
    assert [problem for outcome in found.outcomes for problem in outcome.problems] == [
        "no wrong answers; at least 8 are wanted"
    ]
    assert [line.split(":")[0] for line in made.by_hand] == [
        "left out, for it would run when the file is imported", "cell words", "cell correct",
    ]  # fmt: skip
    handout = (loaded.folder / "README.md").read_text()
    assert "Write a mean." in handout
    assert "the answer in words" not in handout


def test_security_what_was_hidden_is_nowhere_that_students_see(course, tmp_path):
    made = import_notebook(course, save(tmp_path, WHOLE), "hw9")
    seen = [path for path in made.files if "solutions" not in path.parts and "hidden" not in path.parts]
    assert len(seen) == 3
    for path in seen:
        assert "2.5" not in path.read_text()
        assert "scaled([n]" not in path.read_text()
    hidden = next(path for path in made.files if "hidden" in path.parts).read_text()
    assert "    # of the constants\n    assert close(submission.mean(XS), 2.5)\n" in hidden
    assert hidden.index("XS = [1.0, 2.0, 4.5]") < hidden.index("def test_correct_hidden")
    for path in made.files:
        if path.suffix == ".py":
            ast.parse(path.read_text())
        elif path.suffix == ".yml":
            yaml.safe_load(path.read_text())


NAMES = Names(
    callables={"mean", "Model"}, values={"SCALE"},
    imports={"torch": "import torch", "np": "import numpy as np"}, given={"XS": "XS = [1, 2]"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("2.0 if mean([1]) == 1 else 0.0", "partial credit"),
        ("mean([1])", "partial credit"),
        ("old = mean\ndel mean\nassert old", "changes or removes"),
        ("mean = 3\nassert mean", "changes or removes"),
        ("assert callable(mean)", "something else with mean"),
        ("assert isinstance(mean([1]), Model)", "something else with Model"),
        ("assert open('x.txt').read() == mean([1])", "open"),
        ("assert left_by_an_earlier_test == mean([1])", "left_by_an_earlier_test"),
        ("assert torch.equal(mean([1]), 1)", "no such module: import torch"),
        ("from nose.tools import assert_equal\nassert_equal(mean([1]), 1)", "no such module"),
        ("%matplotlib inline\nassert mean([1]) == 1", "not Python alone"),
        ("### AUTOTEST mean([1])", "autotest"),
        ("try:\n    mean([])\nexcept ValueError as e:\n    assert 'x' in str(e)", "a try that is more"),
        ('"""nothing"""', "nothing is tested"),
    ],
)
def test_what_is_more_than_asking_is_left_to_a_person(source, why):
    with pytest.raises(NotTranslatable, match=why):
        translate(source, NAMES)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("assert mean(XS) == 1.5  # 中文 mean", ["assert submission.mean(XS) == 1.5  # 中文 mean"]),
        ("assert '中' and mean([mean([1])])", ["assert '中' and submission.mean([submission.mean([1])])"]),
        ("with pytest.raises(ValueError):\n    mean([])", ['with raises("ValueError"):', "    submission.mean([])"]),
        ("m = Model(SCALE)\nassert m.fit() == 1", ["m = submission.Model(submission.SCALE)", "assert m.fit() == 1"]),
        ("import math\nassert math.isclose(mean([1]), 1)", ["assert math.isclose(submission.mean([1]), 1)"]),
    ],
)  # fmt: skip
def test_the_students_names_are_asked_of_the_submission(source, lines):
    names = Names(NAMES.callables, NAMES.values, {**NAMES.imports, "pytest": "import pytest"}, NAMES.given)
    assert translate(source, names).lines == lines


def test_what_can_not_be_imported_is_said(course, tmp_path):
    with pytest.raises(UsageError, match="no notebook"):
        import_notebook(course, write(tmp_path / "x.ipynb", "{"), "hw9")
    with pytest.raises(UsageError, match="has no test cell with points") as refused:
        import_notebook(course, save(tmp_path, [words("only words")]), "hw9")
    page = " ".join((ROOT / "docs/nbgrader-plain.md").read_text(encoding="utf-8").split())
    assert refused.value.hint in page
    assert "has no test cell with points" in page
    with pytest.raises(UsageError):
        import_notebook(course, save(tmp_path, WHOLE), "HW 9")
    import_notebook(course, save(tmp_path, WHOLE), "hw9")
    with pytest.raises(UsageError):
        import_notebook(course, save(tmp_path, WHOLE), "hw9")


@pytest.mark.nbgrader
def test_nbgraders_own_lesson_is_imported_but_for_what_only_a_kernel_can_do(tmp_path):
    folder = make_course(tmp_path)
    found = importlib.util.find_spec("nbgrader")
    assert found is not None
    assert found.origin is not None
    notebook = Path(found.origin).parent / "docs/source/user_guide/source/ps1/problem1.ipynb"
    done = grade("nbgrader", "import", notebook, "--id", "ps1", "--to", folder, cwd=tmp_path)
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / "nbgrader-plain.md").read_text(encoding="utf-8")
    assert "".join(f"    {line}" if line.strip() else line for line in said.splitlines(keepends=True)) in page
