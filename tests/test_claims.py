"""What a box tells is cut and made plain before anything else looks at it."""

from __future__ import annotations

import numpy as np
import pytest

from autograder.box.client import StudentRaised
from autograder.box.protocol import Environment, Frame, Loaded, Raised
from autograder.judge import claims
from autograder.judge.verdict import verdict_of
from autograder.results import Status
from autograder.submission import Submission

MEGABYTE = 1 << 20
SUBMISSION = Submission("mlp.py", {"mlp.py": b""}, "mlp.py")


def test_a_text_is_one_plain_line():
    assert claims.plain(" NVIDIA\x1b[2J\n H100 \u202e") == "NVIDIA [2J H100"
    assert claims.plain("x" * MEGABYTE) == "x" * 300
    assert claims.plain(" " * MEGABYTE) == ""


def test_security_files_of_one_box_are_written_below_the_folder_of_another():
    content = np.zeros(1, np.uint8)
    assert claims.are_files({"a/b.npy": content})
    for name in ("../a", "/a", "a/../../b", "..\\a", "C:a", "a\0", 1):
        assert not claims.are_files({"a": content, name: content})
    assert not claims.are_files({"a": content.astype(float)})
    assert not claims.are_files([content])


def test_security_what_a_box_tells_of_itself_is_such_as_a_report_can_hold():
    long = "\x1b" + "x" * MEGABYTE
    told = Loaded(
        id=1, names=[], environment=Environment(long, long, long, None, long, -3, "gpu", long, -5, long)
    )  # fmt: skip
    made = claims.loaded(told).environment
    assert (made.threads, made.device, made.device_memory, made.torch) == (0, "cpu", 0, None)
    texts = (made.python, made.platform, made.numpy, made.tensorflow, made.device_name, made.device_problem)
    assert texts == ("x" * 300,) * 6


def test_an_honest_box_is_told_as_it_is():
    told = Loaded(
        id=1,
        names=["fit"],
        environment=Environment("3.11.7", "Linux", "2.4.6", "2.13.0", None, 2, "cuda", "NVIDIA H100", 80 << 30, ""),
    )
    assert claims.loaded(told) == told


@pytest.mark.timeout(120)
@pytest.mark.parametrize("shape", ["{}", "expected {} Double but", "{}()", " (/{}"])
def test_security_no_exception_keeps_the_judge_busy(shape):
    long = shape.format("expected m1 " * 300_000)
    frame = Frame(file=long, line=1, function=long, source=long, student=True)
    raised = Raised(
        id=1, type_name=long, mro=[long] * 1000, text=long, frames=[frame] * 1000, names=[long] * 1000, missing=long
    )
    verdict = verdict_of(StudentRaised(raised), SUBMISSION, "")
    assert verdict.status is Status.ERROR
    assert len(verdict.message) < 1000
    assert sum(map(len, verdict.frames)) < 50_000
    assert len(verdict.staff_note) < 50_000


def test_security_what_one_box_can_have_told_to_the_others_is_a_few_lines_in_order():
    honest = Environment("3.11.7", "Linux", "2.4.6", None, None, 1, "cpu", "")
    told = Loaded(id=1, names=[], environment=honest, stopped=[9, 3, -1, 0, 1 << 20, 9, *range(100, 10_000)])
    assert claims.loaded(told).stopped == [3, 9, *range(100, 110)]
