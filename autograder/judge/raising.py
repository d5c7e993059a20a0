"""What checks say of exceptions that the student's code has to raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autograder.box.client import StudentRaised
from autograder.judge.expectations import expect
from autograder.messages import text


@contextmanager
def raises(name: str) -> Iterator[None]:
    """Fail the check unless the student's code raises an exception of this class, or of one made from it.

    Any other exception of the student's counts as it always does: one that nobody asked for, a task not written yet.

    Args:
        name: "ValueError"; by name, for the class itself stays in the box.
    """
    try:
        yield
    except StudentRaised as error:
        if name in {error.raised.type_name, *error.raised.mro}:
            return
        raise
    expect(False, expected=text("expect.raises", name=name), came=text("expect.came_nothing_raised"))  # noqa: FBT003
