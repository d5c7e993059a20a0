"""What goes wrong in the student's code is an answer, the exception or what could not be handed over; the box lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from autograder.box import client as client_module
from autograder.box.causes import BoxDied
from autograder.results import Status

if TYPE_CHECKING:
    from tests.box.conftest import Driven, Opener

SOURCE = """
    import numpy as np
    import helper

    class Mine(ValueError):
        def __init__(self, text): super().__init__("mine: " + text)

    class Shy(Exception):
        def __str__(self): raise RuntimeError

    class Broken:
        @property
        def weights(self): return helper.divide(1, 0)

    def deep():
        made = []
        for _ in range(100): made = [made]
        return made

    def endless():
        made = []
        made.append(made)
        return made

    UNSENDABLE = {
        "objects": lambda: np.array([[1], [1, 2]], dtype=object),
        "texts": lambda: np.array(["a"]),
        "deep": deep,
        "endless": endless,
        "many": lambda: [0] * 600_000,
        "long": lambda: "x" * (5 << 20),
        "wide": lambda: np.zeros((1,) * 9),
        "surrogate": lambda: ["\\udc80"],
        "dates": lambda: {"when": np.datetime64("2024-01-01")},
    }

    def unsendable(name): return UNSENDABLE[name]()
    def fails(): return helper.divide(1, 0)
    def mine(): raise Mine("said")
    def shy(): raise Shy
    def todo(): raise NotImplementedError("Task 1.2: softmax")
    def library(): return np.linalg.inv(np.zeros((2, 3)))
    def recurses(n=0): return recurses(n + 1)
    def caused():
        try: helper.divide(1, 0)
        except ZeroDivisionError as error: raise KeyError("caused") from error
    def many(): raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
    def stops(): raise StopIteration
    def numbers():
        yield 1
    def one(): return 1
"""
HELPER = """
    def divide(a, b):
        return a / b
"""


@pytest.fixture(scope="module")
def student(module_opener: Opener) -> Driven:
    """One box with the module above."""
    return module_opener(SOURCE, files={"helper.py": HELPER})


@pytest.fixture(autouse=True)
def lives(student: Driven):
    """No test here ends the box."""
    yield
    assert student.call("one") == 1


# --- exceptions -----------------------------------------------------------------------------------------------------


def places(raised) -> list[tuple[str, str]]:
    return [(frame.file, frame.function) for frame in raised.frames if frame.student]


def test_an_exception_comes_with_the_students_frames_alone(student: Driven):
    raised = student.raised_by("fails")
    assert (raised.type_name, raised.text) == ("ZeroDivisionError", "division by zero")
    assert places(raised) == [("answer.py", "fails"), ("helper.py", "divide")]
    assert [frame.source for frame in raised.frames] == ["def fails(): return helper.divide(1, 0)", "return a / b"]
    assert all(frame.student for frame in raised.frames)


def test_frames_of_libraries_are_told_apart(student: Driven):
    raised = student.raised_by("library")
    assert places(raised) == [("answer.py", "library")]
    assert raised.frames[-1].file.startswith("numpy/linalg/")
    assert raised.frames[-1].source == ""


def test_an_exception_of_the_students_own_tells_its_bases(student: Driven):
    raised = student.raised_by("mine")
    assert (raised.type_name, raised.text, raised.mro[:2]) == ("Mine", "mine: said", ["Mine", "ValueError"])


def test_a_stub_says_what_is_to_do(student: Driven):
    raised = student.raised_by("todo")
    assert "NotImplementedError" in raised.mro
    assert raised.text == "Task 1.2: softmax"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("shy", "Shy"), ("caused", "KeyError"), ("many", "ExceptionGroup"), ("stops", "StopIteration")],
)
def test_exceptions_of_every_kind_are_told(student: Driven, name, kind):
    assert student.raised_by(name).type_name == kind


def test_endless_recursion_is_told_in_part(student: Driven):
    raised = student.raised_by("recurses")
    assert raised.type_name == "RecursionError"
    assert len(raised.frames) == 35


def test_wrong_arguments_are_told_without_frames_of_ours(student: Driven):
    raised = student.raised_by("one", 1, 2)
    assert raised.type_name == "TypeError"
    assert "takes 0 positional arguments" in raised.text
    assert raised.frames == []


def test_a_property_that_raises_is_told_with_its_frames(student: Driven):
    with pytest.raises(client_module.StudentRaised) as caught:
        student.get(student.call("Broken"), "weights")
    assert places(caught.value.raised) == [("answer.py", "weights"), ("helper.py", "divide")]


def test_calling_what_can_not_be_called_is_told(student: Driven):
    assert student.raised_by("UNSENDABLE").type_name == "TypeError"


# --- what can't be handed over ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("objects", "dtype=object"),
        ("texts", "dtype <U1"),
        ("deep", "nested more than 32"),
        ("endless", "nested more than 32"),
        ("many", "use an array"),
        ("long", "bytes of lists, texts"),
        ("wide", "9 dimensions"),
        ("surrogate", "surrogate"),
        ("dates", "datetime64"),
    ],
)
def test_what_can_not_cross_is_told_with_the_reason(student: Driven, name, why):
    raised = student.raised_by("unsendable", name)
    assert raised.unsendable
    assert why in raised.text


def test_a_generator_stays_in_the_box(student: Driven):
    made = student.call("numbers")
    assert (made.type_name, made.callable) == ("generator", False)


def test_what_the_check_can_not_send_is_refused_before_it_is_sent(student: Driven):
    with pytest.raises(Exception, match="dtype=object"):
        student.call("one", np.array([None]))
    with pytest.raises(Exception, match="surrogate"):
        student.call("one", "\ud800")


# --- handles of other boxes -------------------------------------------------------------------------------------------


def test_a_value_that_is_impossible_ends_the_box(open_box: Opener):
    student = open_box("def one(): return 1")
    assert student.call("one") == 1
    died = student.client.reject(client_module.ProtocolError("an impossible array"))
    assert (died.cause.status, died.cause.detail) == (Status.CRASHED, "an impossible array")
    with pytest.raises(BoxDied) as caught:
        student.call("one")
    assert caught.value.cause == died.cause
