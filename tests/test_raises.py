"""`raises`: what a check says of exceptions that the student's code has to raise."""

from __future__ import annotations

import pytest

from autograder.box.client import StudentRaised
from autograder.box.protocol import Raised
from autograder.judge import CheckFailed, raises


def student_raises(name, *bases):
    raise StudentRaised(Raised(id=1, type_name=name, mro=[name, *bases, "Exception"], text="no", frames=[]))


@pytest.mark.parametrize("bases", [(), ("ValueError",)])
def test_the_exception_or_one_made_from_it_is_what_is_wanted(bases):
    with raises("ValueError"):
        student_raises("TooSmall" if bases else "ValueError", *bases)


def test_no_exception_fails_the_check():
    with pytest.raises(CheckFailed, match="expected ValueError to be raised; came no exception"), raises("ValueError"):
        pass


def test_any_other_exception_is_the_students_as_ever():
    with pytest.raises(StudentRaised), raises("ValueError"):
        student_raises("NotImplementedError")
