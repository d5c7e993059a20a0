from __future__ import annotations

import ast
import re

import pytest
import yaml

from autograder import new as module
from autograder.course import load_course
from autograder.errors import UsageError
from autograder.new import make_assignment
from autograder.release import release_stubs
from autograder.validate import MIN_WRONG, validate
from tests.tiny_course import make_course


@pytest.fixture
def course(tmp_path):
    return load_course(make_course(tmp_path))


def make(course, assignment_id="hw5", *, title="Row sums", title_zh="按行求和", frameworks=()):
    return make_assignment(course, assignment_id, title=title, title_zh=title_zh, frameworks=frameworks)


def names(course, made):
    return {path.relative_to(course.folder).as_posix() for path in made}


def test_the_folders_and_files_of_an_assignment(course):
    made = names(course, make(course))
    assert made == {
        "assignments/hw5_row_sums/assignment.yml",
        "assignments/hw5_row_sums/README.md",
        "assignments/hw5_row_sums/README.zh.md",
        "assignments/hw5_row_sums/tests/test_row_sums.py",
        "assignments/hw5_row_sums/hidden/test_row_sums_hidden.py",
        "solutions/hw5_row_sums/row_sums.py",
        *(f"solutions/hw5_row_sums/wrong/todo_{n}/row_sums.py" for n in range(1, MIN_WRONG + 1)),
        *(f"solutions/hw5_row_sums/wrong/todo_{n}/expect.yml" for n in range(1, MIN_WRONG + 1)),
    }
    loaded = course.assignment("hw5")
    assert (str(loaded.spec.title), loaded.spec.title.zh) == ("Row sums", "按行求和")


def test_one_solution_for_each_framework(course):
    made = names(course, make(course, frameworks=("torch", "tensorflow")))
    assert {"solutions/hw5_row_sums/row_sums_torch.py", "solutions/hw5_row_sums/row_sums_tensorflow.py"} <= made
    assert course.assignment("hw5").spec.frameworks == ("torch", "tensorflow")


def test_everything_that_is_made_is_well_formed(course):
    for path in make(course, frameworks=("torch",)):
        content = path.read_text(encoding="utf-8")
        assert "$" not in content.replace("$schema", "")
        assert "\r" not in content
        if path.suffix == ".py":
            ast.parse(content)
        if path.suffix == ".yml":
            yaml.safe_load(content)
        assert "TODO" in content


TITLES = [
    "A: colon, 'quotes' and \"more\"", "[list] {map} # comment", "$dollar ${x}", "50 % of it", "Ünïcödé ✓", "数字识别",
    "3D nets", "  spaces  ", "yes", "- item", "*star &amp", "a" * 200,
    "ends in \\", r"C:\new \x", '"""',
]  # fmt: skip


@pytest.mark.parametrize("title", TITLES)
def test_a_title_may_have_anything_in_it(course, title):
    made = make(course, title=title, title_zh=title)
    assert course.assignment("hw5").spec.title.en == title
    for path in made:
        if path.suffix == ".py":
            ast.parse(path.read_text(encoding="utf-8"))


def test_without_a_chinese_title_the_english_one_stands_in(course):
    make(course, title_zh=None)
    assert course.assignment("hw5").spec.title.zh == "Row sums"


@pytest.mark.parametrize("bad", ["", "5hw", "HW5", "hw_5", "hw-5", "hw 5", "../hw5", "hw5/x", "作业", "hw5\n"])
def test_a_bad_id_makes_nothing(course, bad):
    before = sorted(course.folder.rglob("*"))
    with pytest.raises(UsageError, match="letters and digits"):
        make(course, bad)
    assert sorted(course.folder.rglob("*")) == before


@pytest.mark.parametrize("taken", ["assignment", "folder", "solutions"])
def test_what_exists_is_never_touched(course, taken):
    if taken == "assignment":
        make(course, title="Another title")
    else:
        root = {"folder": "assignments", "solutions": "solutions"}[taken]
        (course.folder / root / "hw5_row_sums").mkdir()
        (course.folder / root / "hw5_row_sums" / "mine.txt").write_text("mine", encoding="utf-8")
    before = {path: path.read_bytes() for path in course.folder.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="exists already") as caught:
        make(course)
    assert caught.value.hint
    assert {path: path.read_bytes() for path in course.folder.rglob("*") if path.is_file()} == before


def test_the_blanks_are_all_marked(course):
    """Whoever searches for TODO finds every place that keeps the skeleton from being valid."""
    skeleton = "".join(path.read_text(encoding="utf-8") for path in module._SKELETON.iterdir())
    for line in skeleton.splitlines():
        if re.search(r"raise \w+Error", line):
            assert "TODO" in line


ORACLE = ('raise NotImplementedError("TODO: the oracle")', "return x.sum(axis=1)")
BOTH = ("fails: [test_solve_on_known_rows]", "fails: [test_solve_on_known_rows, test_solve_on_new_rows]")
RIGHT = ('raise ValueError("TODO: the solution")', "return x.sum(axis=1)")
WRONG = ["x[:, 0]", "x[:, 1]", "x.mean(axis=1)", "x.sum(axis=1) + 1", "-x.sum(axis=1)", "x.prod(axis=1)", "x", "None"]


def fill_in(paths):
    """Fill in the blanks as an author would; texts that only people read stay TODO. Each wrong answer fails both."""
    wrong = iter(WRONG)
    for path in sorted(paths):
        content = path.read_text(encoding="utf-8")
        if "wrong" in path.parts and path.suffix == ".py":
            content = re.sub(r"raise ValueError\(.*\)", f"return {next(wrong)}", content)
        path.write_text(content.replace(*ORACLE).replace(*RIGHT).replace(*BOTH), encoding="utf-8")
    assert next(wrong, None) is None


def test_validate_accepts_it_once_the_blanks_are_filled_in(course):
    fill_in(make(course))
    loaded = course.assignment("hw5")
    release_stubs(loaded, write=True)
    validation = validate([loaded], workers=2, tell=lambda *_: None)
    assert [(outcome.title, outcome.problems) for outcome in validation.outcomes if outcome.problems] == []
    assert len(validation.outcomes) == 2 + MIN_WRONG


def test_validate_does_not_accept_it_before(course):
    make(course)
    loaded = course.assignment("hw5")
    release_stubs(loaded, write=True)
    made = validate([loaded], workers=2, tell=lambda *_: None)
    assert sum(bool(one.problems) for one in made.outcomes) > MIN_WRONG
