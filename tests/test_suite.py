"""What a check hangs on, told by its source: a table of changes, and which checks each of them has run again."""

from __future__ import annotations

import pytest

from autograder.course import load_course
from autograder.run.suite import Suite, Unit, function_of, suite_of
from tests.tiny_course import make_course, write

FIRST = '''
import pytest
from tables import ROWS

FAR = 20

def measure(submission, x):
    return submission.add(x, FAR)

@pytest.fixture
def near(rng):
    return 3

@pytest.mark.points(5, task="1.1")
def test_a(submission, near):
    """a"""
    assert measure(submission, near) == ROWS[0]

@pytest.mark.points(5, task="1.1", needs=["test_a"])
def test_b(submission):
    """b"""
    assert submission.add(1, 2) == 3

@pytest.mark.parametrize("x", [1, 2])
@pytest.mark.points(5, task="1.1")
def test_c(submission, x):
    """c"""
'''
SECOND = '''
import pytest

@pytest.mark.points(5, task="2")
def test_d(submission):
    """d"""

@pytest.mark.points(5, task="2")
def test_e(submission):
    """e"""
'''
ALL = {"test_a", "test_b", "test_c", "test_d", "test_e"}
LASTING = "import pytest\n\n@pytest.fixture(scope='module')\ndef model(submission):\n    return submission.fit()\n"


@pytest.fixture
def folder(tmp_path):
    made = make_course(tmp_path) / "assignments" / "hw1_sums"
    for path in (*made.glob("tests/*.py"), *made.glob("hidden/*.py")):
        path.unlink()
    write(made / "tests" / "test_first.py", FIRST)
    write(made / "hidden" / "test_second.py", SECOND)
    write(made / "tests" / "tables.py", "ROWS = [23]\n")
    return made


def suite(folder, conditions="same"):
    return suite_of(load_course(folder.parents[1]).assignment("hw1"), conditions)


def run_after(folder, before, conditions="same"):
    return suite(folder, conditions).to_run({name: unit.sha256 for name, unit in before.units.items()})


def edit(folder, file, old, new):
    path = folder / file
    assert old in path.read_text()
    write(path, path.read_text().replace(old, new, 1))


def test_the_order_is_that_of_a_run(folder):
    assert list(suite(folder).units) == ["test_a", "test_b", "test_c", "test_d", "test_e"]


@pytest.mark.parametrize(
    ("file", "old", "new", "run"),
    [
        ("tests/test_first.py", "FAR = 20", "FAR = 20  # far", set()),
        ("tests/test_first.py", "[1, 2]", "[1, 2, 3]", {"test_c"}),
        ("tests/test_first.py", "== 3", "== 4", {"test_a", "test_b"}),  # and what it needs
        ("tests/test_first.py", "ROWS[0]", "ROWS[-1]", {"test_a", "test_b"}),  # and what needs it
        ("tests/test_first.py", 'points(5, task="1.1")\ndef test_c', 'points(6, task="1.1")\ndef test_c', {"test_c"}),
        ("tests/test_first.py", "FAR = 20", "FAR = 30", {"test_a", "test_b", "test_c"}),
        ("tests/test_first.py", "return 3", "return 4", {"test_a", "test_b", "test_c"}),
        ("tests/tables.py", "23", "24", ALL),
        ("hidden/test_second.py", '"""d"""', '"""another"""', {"test_d"}),
        ("hidden/test_second.py", "test_e", "test_f", {"test_f"}),
    ],
)  # fmt: skip
def test_what_is_run_after_a_change(folder, file, old, new, run):
    before = suite(folder)
    edit(folder, file, old, new)
    assert run_after(folder, before) == run


@pytest.mark.parametrize(
    ("file", "content"),
    [("tests/conftest.py", "X = 1\n"), ("hidden/table.csv", "1,2\n"), ("hidden/deeper/module.py", "X = 1\n")],
)
def test_a_new_file_beside_the_checks_is_a_change_of_all(folder, file, content):
    before = suite(folder)
    write(folder / file, content)
    assert run_after(folder, before) == ALL


def test_other_conditions_are_a_change_of_all(folder):
    assert run_after(folder, suite(folder), "others") == ALL


@pytest.mark.parametrize(
    "shared",
    [
        LASTING,
        "SEEN = 0\ndef note():\n    global SEEN\n    SEEN = 1\n",
        "CHECKS = [test_e]\n",
    ],
)
def test_where_tests_can_not_be_told_apart_the_file_is_the_unit(folder, shared):
    write(folder / "hidden" / "test_second.py", f"{SECOND}\n{shared}")
    before = suite(folder)
    edit(folder, "hidden/test_second.py", '"""d"""', '"""another"""')
    assert run_after(folder, before) == {"test_d", "test_e"}


@pytest.mark.parametrize(
    ("file", "content"),
    [("hidden/conftest.py", LASTING), ("hidden/shared.py", "from tests.test_first import measure\n")],
)
def test_where_files_can_not_be_told_apart_all_of_them_are_one(folder, file, content):
    write(folder / file, content)
    before = suite(folder)
    edit(folder, "tests/test_first.py", "[1, 2]", "[1, 2, 3]")
    assert run_after(folder, before) == ALL


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('needs=["test_a"]', "needs=[NAME]"),
        ('needs=["test_a"]', "**MORE"),
        ('needs=["test_a"]', 'needs=["test_z"]'),
        ("def test_c", "def test_b"),
        ("import pytest", "import"),
        ("def test_c", "def test_d"),  # as one in the other file
    ],
)
def test_what_can_not_be_told_has_no_units(folder, old, new):
    edit(folder, "tests/test_first.py", old, new)
    assert suite(folder) == Suite({})


def test_needs_are_followed_to_the_end():
    units = {"a": Unit("1", frozenset()), "b": Unit("2", frozenset("a")), "c": Unit("3", frozenset("b")),
             "d": Unit("4", frozenset()), "e": Unit("5", frozenset("cd"))}  # fmt: skip
    known = {name: unit.sha256 for name, unit in units.items()}
    assert Suite(units).to_run(known) == frozenset()
    assert Suite(units).to_run(known | {"e": "0"}) == frozenset("abcde")
    assert Suite(units).to_run(known | {"b": "0"}) == frozenset("abcde")
    assert Suite({name: units[name] for name in "abcd"}).to_run(known | {"d": "0"}) == {"d"}


@pytest.mark.parametrize(
    ("check_id", "name"),
    [("test_first::test_c", "test_c"), ("test_first::test_c[2]", "test_c"), ("test_first::test_c[a::b]", "test_c")],
)
def test_the_function_of_a_check(check_id, name):
    assert function_of(check_id) == name


@pytest.mark.parametrize(
    "made",
    [
        "class TestMore:\n    def test_g(self): pass\n",
        "test_g = pytest.mark.points(5, task='2')(lambda submission: None)\n",
        "from tables import test_g\n",
        "from tables import *\n",
        "for name in 'gh':\n    globals()[f'test_{name}'] = lambda submission: None\n",
        "if True:\n    def test_g(submission): pass\n",
    ],
)
def test_tests_that_are_no_functions_of_their_file_have_no_units(folder, made):
    write(folder / "hidden" / "test_second.py", f"{SECOND}\n{made}")
    assert suite(folder) == Suite({})


@pytest.mark.parametrize("id_", ["hw1", "hw2", "hw3"])
def test_the_checks_of_the_course_can_be_told_apart(repository, id_):
    units = suite_of(load_course(repository).assignment(id_), "").units
    assert len({unit.sha256 for unit in units.values()}) == len(units) > 5
