from __future__ import annotations

import ast
from dataclasses import replace
from types import SimpleNamespace

import pytest

from autograder.course import load_course
from autograder.errors import ConfigError
from autograder.judge.marker import USAGE, CheckSpec, compare_with_assignment, read_check
from autograder.messages import Text, set_language
from tests.tiny_course import ASSIGNMENT, make_course, write


@pytest.fixture
def assignment(tmp_path):
    return load_course(make_course(tmp_path)).assignment("hw1")


def add(submission):
    """add returns the sum of two numbers

    More for authors.
    """


def bare(submission):
    pass


def item(assignment, *args, function=add, name="test_add", folder="tests", marked=True, **kwargs):
    """What read_check looks at of a pytest item."""
    mark = SimpleNamespace(args=args, kwargs=kwargs) if marked else None
    return SimpleNamespace(
        function=function,
        path=assignment.folder / folder / "test_sums.py",
        name=name,
        originalname=name.split("[")[0],
        get_closest_marker=lambda wanted: mark if wanted == "points" else None,
    )


def spec(name, task="1.1", points=10.0, *, hidden=False, needs=()):
    return CheckSpec(f"test_x::{name}", name, task, points, tuple(needs), hidden, Text(name), "")


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_check_as_its_marker_docstring_and_assignment_declare_it(assignment):
    check = read_check(item(assignment, 10, task="1.1", needs=["test_other"]), assignment)
    assert check == CheckSpec(
        id="test_sums::test_add",
        name="test_add",
        task="1.1",
        points=10.0,
        needs=("test_other",),
        hidden=False,
        title=Text("add returns the sum of two numbers", "add 返回两数之和"),
        hint="Use +.",
    )


def test_the_hint_is_in_the_language_in_force(assignment):
    set_language("zh")
    try:
        check = read_check(item(assignment, 10, task="1.1"), assignment)
        assert (str(check.title), check.hint) == ("add 返回两数之和", "用 +。")
    finally:
        set_language("en")


@pytest.mark.parametrize(("folder", "hidden"), [("tests", False), ("hidden", True), ("hidden/deep", True)])
def test_the_folder_decides_whether_a_check_is_hidden(assignment, folder, hidden):
    assert read_check(item(assignment, 10, task="1.1", folder=folder), assignment).hidden is hidden


def test_a_parametrized_check_has_the_texts_of_its_function(assignment):
    check = read_check(item(assignment, 2.5, task="1.1", name="test_add[3-4]"), assignment)
    assert (check.id, check.points, check.hint) == ("test_sums::test_add[3-4]", 2.5, "Use +.")


def test_a_task_may_be_written_as_a_number(assignment):
    assert read_check(item(assignment, 10, task=1.1), assignment).task == "1.1"
    assert read_check(item(assignment, 10, task=2), assignment).task == "2"


def _wrong(assignment, *args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        read_check(item(assignment, *args, **kwargs), assignment)
    return caught.value


@pytest.mark.parametrize(
    ("args", "kwargs", "says"),
    [
        ((), {"marked": False}, "a check needs the points marker"),
        ((), {}, "the marker reads points()"),
        ((10,), {}, "the marker reads points(10)"),
        ((), {"task": "1.1"}, "the marker reads points(task='1.1')"),
        ((10, "1.1"), {}, "the marker reads points(10, '1.1')"),
        ((10,), {"task": "1.1", "need": ["a"]}, "the marker reads points(10, task='1.1', need=['a'])"),
        (("10",), {"task": "1.1"}, "points must be a number above zero; came '10'"),
        ((0,), {"task": "1.1"}, "points must be a number above zero; came 0"),
        ((-1,), {"task": "1.1"}, "points must be a number above zero; came -1"),
        ((True,), {"task": "1.1"}, "points must be a number above zero; came True"),
        ((None,), {"task": "1.1"}, "points must be a number above zero; came None"),
        ((10,), {"task": "3"}, "no task '3' in assignment.yml; there are 1.1, 2"),
        ((10,), {"task": ""}, "no task '' in assignment.yml; there are 1.1, 2"),
        ((10,), {"task": "1.1", "needs": "test_a"}, "needs must be a list of names of checks; came 'test_a'"),
        ((10,), {"task": "1.1", "needs": [add]}, "needs must be a list of names of checks; came [<function"),
        ((10,), {"task": "1.1", "function": bare}, "a check needs a docstring"),
    ],
)
def test_a_wrong_marker_is_explained_to_its_author(assignment, args, kwargs, says):
    error = _wrong(assignment, *args, **kwargs)
    function = kwargs.get("function", add)
    assert says in error.message
    assert (error.file, error.key) == (assignment.folder / "tests" / "test_sums.py", "test_add")
    assert error.line == function.__code__.co_firstlineno
    assert error.hint == f"Write {USAGE}"


@pytest.mark.parametrize("needs", [5, None])
def test_needs_that_is_no_list_at_all(assignment, needs):
    assert "needs must be a list" in _wrong(assignment, 10, task="1.1", needs=needs).message


def test_points_that_are_no_number(assignment):
    assert "above zero" in _wrong(assignment, float("nan"), task="1.1").message


# --- comparing ------------------------------------------------------------------------------------------------------

PUBLIC = [spec("test_add"), spec("test_slope", "2", needs=["test_add"])]
HIDDEN = [spec("test_more", hidden=True), spec("test_most", "2", hidden=True)]


def test_checks_that_match_their_assignment(assignment):
    compare_with_assignment(PUBLIC, assignment, with_hidden=False)
    compare_with_assignment([*PUBLIC, *HIDDEN], assignment, with_hidden=True)


def test_points_may_be_spread_over_several_checks(assignment):
    parts = [spec(f"test_{number}", points=10 / 3) for number in range(3)]
    compare_with_assignment([*parts, replace(PUBLIC[1], needs=())], assignment,
                            with_hidden=False)  # fmt: skip


@pytest.mark.parametrize(
    ("checks", "with_hidden", "says"),
    [
        ([spec("test_add", points=9), PUBLIC[1]], False, "task 1.1: its public points are 10, but its public checks"),
        ([spec("test_add", points=10.01), PUBLIC[1]], False, "add up to 10.01"),
        ([spec("test_add"), spec("test_slope")], False, "task 1.1: its public points are 10"),
        ([PUBLIC[0]], False, "task 2: its public points are 10, but its public checks add up to 0"),
        (PUBLIC, True, "task 1.1: its hidden points are 10, but its hidden checks add up to 0"),
        ([*PUBLIC, HIDDEN[0]], True, "task 2: its hidden points are 10"),
        ([*PUBLIC, spec("test_add", hidden=True), HIDDEN[1]], True, "two checks are called test_add"),
        ([spec("test_add", needs=["test_ad"]), PUBLIC[1]], False, "test_add needs test_ad, and there is no such check"),
        ([spec("test_other"), spec("test_slope", "2"), *HIDDEN], True, "there is no check called test_add"),
    ],
)
def test_checks_that_do_not_match_their_assignment(assignment, checks, with_hidden, says):
    with pytest.raises(ConfigError) as caught:
        compare_with_assignment(checks, assignment, with_hidden=with_hidden)
    assert says in caught.value.message
    assert caught.value.file == assignment.folder / "assignment.yml"


def test_a_public_check_may_be_needed_by_a_hidden_one(assignment):
    needing = spec("test_more", hidden=True, needs=["test_add"])
    compare_with_assignment([*PUBLIC, needing, HIDDEN[1]], assignment, with_hidden=True)


def test_a_student_has_texts_for_hidden_checks_that_are_not_there(tmp_path):
    folder = make_course(tmp_path)
    write(
        folder / "assignments" / "hw1_sums" / "assignment.yml",
        ASSIGNMENT.replace("checks:\n", "checks:\n  test_secret: {zh: 秘密}\n"),
    )
    assignment = load_course(folder).assignment("hw1")
    compare_with_assignment(PUBLIC, assignment, with_hidden=False)
    with pytest.raises(ConfigError, match="no check called test_secret"):
        compare_with_assignment([*PUBLIC, *HIDDEN], assignment, with_hidden=True)


def test_the_usage_that_is_shown_would_be_accepted(assignment):
    call = ast.parse(USAGE.removeprefix("@").replace("2.1", "2"), mode="eval").body
    args = [ast.literal_eval(value) for value in call.args]
    kwargs = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    check = read_check(item(assignment, *args, **kwargs), assignment)
    assert (check.points, check.task, check.needs) == (10, "2", ("test_other",))
