"""Warm judges on the course's own assignments: each report is that of a cold judge, but for its times."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autograder.course import load_course
from autograder.judge.attempt import run_attempt
from autograder.judge.judges import open_judges
from autograder.judge.options import AttemptOptions
from autograder.submission import read_file
from tests.test_warm import without_times

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="judges are forked on Linux only")


@pytest.fixture(scope="module")
def judges():
    with open_judges(1) as opened:
        yield opened


def compare(repository: Path, judges, assignment_id: str, files: list[str], **options) -> None:
    course = load_course(repository)
    assignment = course.assignment(assignment_id)
    asked = AttemptOptions(device="cpu", **options)
    for file in files:
        submission = read_file(assignment.solutions / file)
        report = judges.start(assignment, submission, asked).result()
        assert without_times(report) == without_times(run_attempt(assignment, submission, asked)), file


def test_hw1(repository, judges):
    files = [
        "perceptron.py",
        *(f"wrong/{name}/perceptron.py" for name in ("wrong_sign", "random_start", "used_up_zip")),
    ]
    compare(repository, judges, "hw1", files, hidden=True, full=True)


def test_hw1_public(repository, judges):
    compare(repository, judges, "hw1", ["perceptron.py"])


@pytest.mark.torch
def test_hw2_torch(repository, judges):
    compare(repository, judges, "hw2", ["mlp_torch.py", "wrong/constant_output/mlp.py"], hidden=True)


@pytest.mark.ci
@pytest.mark.tensorflow
def test_hw2_tensorflow(repository, judges):
    checks = ("test_generalises", "test_same_seed_same_result", "test_fits_negative_labels")
    compare(repository, judges, "hw2", ["mlp_tensorflow.py"], hidden=True, checks=checks)
