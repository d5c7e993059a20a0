"""Exceptions as bounded plain text: the student's frames, relative paths, and no error of ours about their error."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.box import tracebacks
from autograder.box.protocol import PREFIX, Frame, Raised, decode_reply, encode_message


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., Raised]:
    """Runs a source as the submission's `name`, and returns what is told of the exception that it raises."""

    def run(source: str, name: str = "answer.py", **given: Any) -> Raised:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        try:
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {"__name__": "submission", **given})
        except BaseException as error:  # noqa: BLE001
            return tracebacks.describe(error, tmp_path, 9)
        raise AssertionError("it raised nothing")

    return run


def students(raised: Raised) -> list[Frame]:
    return [frame for frame in raised.frames if frame.student]


def test_the_frames_are_relative_with_line_function_and_source(told):
    raised = told(
        """
        def inner(x):
            return 1 / x

        def outer():
            inner(0)

        outer()
        """,
        "folder/mlp.py",
    )
    assert (raised.id, raised.type_name, raised.text) == (9, "ZeroDivisionError", "division by zero")
    assert raised.mro[:2] == ["ZeroDivisionError", "ArithmeticError"]
    assert students(raised) == [
        Frame("folder/mlp.py", 8, "<module>", "outer()", True),
        Frame("folder/mlp.py", 6, "outer", "inner(0)", True),
        Frame("folder/mlp.py", 3, "inner", "return 1 / x", True),
    ]


def test_security_frames_outside_the_submission_have_no_source_and_no_folder(told):
    raised = told("import numpy as np\nnp.linalg.inv(np.zeros((2, 3)))")
    library = [frame for frame in raised.frames if not frame.student]
    assert {frame.source for frame in library} == {""}
    assert any(frame.file == "numpy/linalg/_linalg.py" for frame in library)
    assert not [frame for frame in library if frame.file.startswith("/")]


def test_the_workers_own_frames_are_left_out(told):
    own = compile("def call(function): function()", str(Path(tracebacks.__file__).with_name("worker.py")), "exec")
    space: dict[str, Any] = {}
    exec(own, space)
    raised = told("def f(): raise KeyError('x')\ncall(f)", call=space["call"])
    assert "worker.py" not in {frame.file for frame in raised.frames}
    assert students(raised)[-1].function == "f"


def test_of_a_deep_recursion_the_beginning_and_the_end_are_told(told):
    raised = told("def f(n): return f(n + 1)\nf(0)")
    assert "RecursionError" in raised.mro
    assert len(raised.frames) == 35
    assert students(raised)[0].function == "<module>"


def test_what_is_said_is_bounded(told):
    raised = told("class E(Exception): pass\nE.__name__ = 'n' * 999\nx = '" + "y" * 999 + "'; raise E('x' * 99999)")
    assert len(raised.text) == 4000
    assert len(raised.type_name) == 200
    assert len(students(raised)[-1].source) == 300


def test_a_subclass_tells_its_bases(told):
    raised = told("class Mine(NotImplementedError): pass\nraise Mine('Task 1.2')")
    assert raised.type_name == "Mine"
    assert "NotImplementedError" in raised.mro


@pytest.mark.parametrize("exception", ["SystemExit(3)", "KeyboardInterrupt", "GeneratorExit"])
def test_exceptions_that_are_no_errors_are_told_as_well(told, exception):
    raised = told(f"raise {exception}")
    assert raised.type_name == exception.removesuffix("(3)")
    assert students(raised)[0].line == 1


def test_an_exception_that_can_not_say_itself_is_told_without_words(told):
    raised = told(
        """
        class Shy(Exception):
            def __str__(self):
                raise RuntimeError
        raise Shy
        """
    )
    assert (raised.type_name, raised.text) == ("Shy", "")


def test_a_missing_module_is_named(told):
    raised = told("import tornado_of_torches.layers")
    assert (raised.type_name, raised.missing) == ("ModuleNotFoundError", "tornado_of_torches")


@pytest.mark.parametrize(
    ("source", "line", "column", "said"),
    [
        ("x = 1\nif x = 2:\n    pass\n", 2, 4, "invalid syntax"),
        ("def f():\nreturn 1\n", 2, 1, "expected an indented block"),
        ("x = (1,\n", 1, 5, "'(' was never closed"),
        ("y = 2\n    x = 1\n", 2, 0, "unexpected indent"),
        ("print '感'\n", 1, 1, "Missing parentheses"),
    ],
)
def test_a_syntax_error_is_told_with_its_place(told, source, line, column, said):
    raised = told(source)
    (place,) = raised.frames
    assert (place.file, place.line, place.student) == ("answer.py", line, True)
    assert said in raised.text
    assert place.source == source.splitlines()[line - 1]
    assert column in {raised.column, 0}  # where an indent begins is told differently by each Python


def test_a_syntax_error_in_a_sibling_is_told_there(told, tmp_path, monkeypatch):
    (tmp_path / "helper.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (place,) = told("import helper").frames
    assert (place.file, place.line) == ("helper.py", 1)


def test_a_syntax_error_of_something_evaluated_keeps_the_frames(told):
    raised = told("def f(text):\n    return eval(text)\nf('1 +')")
    assert [(frame.line, frame.function) for frame in students(raised)] == [(3, "<module>"), (2, "f")]


class Shapeless(SyntaxError):
    """What a library of the student's may raise: its fields hold anything."""

    def __init__(self, **fields: object) -> None:
        super().__init__("said")
        for name, value in fields.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    "error",
    [
        SyntaxError(),
        SyntaxError("said"),
        SyntaxError("said", (None, None, None, None)),
        SyntaxError("said", ("elsewhere.py", 1, 0, "")),
        IndentationError("said", ("a.py", 3, -1, "x")),
        ModuleNotFoundError(name=None),
    ],
    ids=repr,
)
def test_errors_without_a_place_are_told(error, tmp_path):
    assert reads_as_raised(tracebacks.describe(error, tmp_path, 1))


@pytest.mark.parametrize(
    "error",
    [Shapeless(text=3), Shapeless(filename=b"a.py"), Shapeless(lineno="1"), Shapeless(offset=1.5)],
    ids=["text", "filename", "lineno", "offset"],
)
def test_errors_whose_fields_hold_anything_are_told(error, tmp_path):
    assert reads_as_raised(tracebacks.describe(error, tmp_path, 1))


def reads_as_raised(raised: Raised) -> bool:
    """Whether the judge can read it."""
    header = bytes(encode_message(raised, [])[0])[PREFIX.size :]
    return isinstance(decode_reply(header), Raised)


def test_a_text_that_has_no_utf_8_is_told_with_escapes(told):
    raised = told("raise ValueError('\\udcff')")
    assert reads_as_raised(raised)
