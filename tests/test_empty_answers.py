"""Answers with nothing in them, to every assignment and in every framework: whoever did nothing gets nothing.

The stub is one such answer, and `grade validate` tries it. These define every name that is asked for and run without an
error, so that a check which only looks for harm, or for a shape, would pass them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from autograder.course import load_course
from autograder.judge.judges import Judges, open_judges
from autograder.judge.options import AttemptOptions
from autograder.results import Report, Status
from autograder.submission import Submission
from tests.conftest import ROOT

COURSE = load_course(ROOT)
ASSIGNMENTS = [COURSE.assignment(name) for name in COURSE.assignment_folders()]

NOTHING = "def empty(*arguments, **named):\n    return None\n"
FIRST = "def empty(first=None, *arguments, **named):\n    return first\n"
ITSELF = """
class Itself:
    def __call__(self, *arguments, **named): return self
    def __getattr__(self, name): return self
    def __getitem__(self, key): return self

empty = Itself()
"""
HOLLOW = """
class Hollow:
    def __init__(self, *arguments, **named): pass
    def __getattr__(self, name): return lambda *arguments, **named: None

empty = Hollow
"""
# One value for each row of the last array that came, as predictions have; else one number, as a count is.
ROWS = """
import numpy as np

def rows(arguments):
    arrays = [value for value in arguments if isinstance(value, np.ndarray) and value.ndim > 1]
    return len(arrays[-1]) if arrays else ()
"""
RANDOM = (
    ROWS
    + "generator = np.random.default_rng(7)\n"
    + """
def empty(*arguments, **named):
    return generator.integers(0, 10, size=rows(arguments))
"""
)
CONSTANT = (
    ROWS
    + """
def empty(*arguments, **named):
    return np.zeros(rows(arguments), dtype=np.int64)
"""
)
SOURCES = {
    "nothing": NOTHING,
    "first": FIRST,
    "itself": ITSELF,
    "hollow": HOLLOW,
    "random": RANDOM,
    "constant": CONSTANT,
}

# What a check can't honestly tell from an answer: it asks for a form (one value a row), or for values that hang on
# nothing but their own row, and gets just that. A predict that is right has earned it, too, whatever was trained.
SHAPES = {
    "hw2": {"test_predict_has_one_value_per_row", "test_predict_takes_a_single_row"},
    "hw3": {"test_predict_gives_a_class_per_image", "test_predict_takes_a_single_image"},
}
EARNED = {
    ("hw2", "random"): SHAPES["hw2"],
    ("hw3", "random"): SHAPES["hw3"],
    ("hw2", "constant"): SHAPES["hw2"] | {"test_predict_treats_each_row_by_itself"},
    ("hw3", "constant"): SHAPES["hw3"] | {"test_predict_treats_each_image_by_itself"},
}


class Case(NamedTuple):
    """One answer to one assignment."""

    assignment: str
    framework: str
    kind: str

    @property
    def id(self) -> str:
        return "-".join(filter(None, self))

    @property
    def marks(self) -> list[pytest.MarkDecorator]:
        return [getattr(pytest.mark, self.framework)] if self.framework else []

    @property
    def source(self) -> str:
        """A file that defines every name that is asked for, all the same."""
        names = COURSE.assignment(self.assignment).spec.entry.names
        imported = f"import {self.framework}\n" if self.framework else ""
        return imported + SOURCES[self.kind] + "".join(f"{name} = empty\n" for name in names)


CASES = [
    Case(assignment.id, framework, kind)
    for assignment in ASSIGNMENTS
    for framework in assignment.spec.frameworks or ("",)
    for kind in SOURCES
]


@pytest.fixture(scope="module")
def judges() -> Iterator[Judges]:
    with open_judges(1) as opened:
        yield opened


def graded(case: Case, judges: Judges) -> Report:
    assignment = COURSE.assignment(case.assignment)
    name = assignment.spec.entry.file
    submission = Submission(name, {name: case.source.encode()}, name)
    return judges.start(assignment, submission, AttemptOptions(hidden=True, device="cpu")).result()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id, marks=case.marks) for case in CASES])
def test_security_an_empty_answer_earns_nothing(case: Case, judges: Judges) -> None:
    report = graded(case, judges)
    earned = {check.id.split("::")[1] for check in report.checks if check.score > 0}
    assert earned == EARNED.get((case.assignment, case.kind), set())
    assert Status.INTERNAL not in {check.status for check in report.checks}
    assert report.framework == (case.framework or None)
