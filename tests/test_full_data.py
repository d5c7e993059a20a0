"""hw3 on the whole of Fashion-MNIST, as `grade check hw3 --data full` runs it, and on the part that it ships."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from autograder.datasets import reading
from tests.tiny_course import ROOT, grade

SOLUTION = ROOT / "solutions/hw3_fashion_mnist/fashion_torch.py"

pytestmark = pytest.mark.torch


@pytest.fixture
def course(tmp_path):
    """The course as students have it: attempts are kept there and not in this checkout."""
    shutil.copytree(ROOT / "assignments/hw3_fashion_mnist", tmp_path / "course/assignments/hw3_fashion_mnist")
    shutil.copy(ROOT / "course.yml", tmp_path / "course")
    return tmp_path / "course"


def check(course, *arguments, **environment):
    return grade("check", "hw3", SOLUTION, "--device", "cpu", *arguments, cwd=course, timeout_s=280, **environment)


@pytest.mark.ci
@pytest.mark.real_data
def test_all_60000_images_with_thresholds_of_their_own(course):
    data = os.environ["GRADE_DATA_DIR"]
    result = check(course, "--data", "full", "--task", "3.1", "--json", GRADE_DATA_DIR=data)
    report = json.loads(result.stdout)
    accuracy = report["metrics"]["accuracy"]
    assert (result.returncode, report["data"], report["status"], report["score"]) == (0, "full", "passed", 30)
    assert (accuracy["full"], accuracy["zero"]) == (0.85, 0.6)
    assert 0.85 < accuracy["value"] < 0.9


def test_without_a_network_or_a_dataset_folder_the_part_that_ships_is_used(course, tmp_path):
    nowhere = "http://127.0.0.1:1"
    elsewhere = {"GRADE_DATA_DIR": str(tmp_path / "none"), "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere}
    report = json.loads(check(course, "--task", "3.2", "--json", **elsewhere).stdout)
    assert (report["data"], report["status"], report["score"]) == ("embedded", "passed", 10)


@pytest.mark.skipif(any(map(os.path.isdir, reading.SYSTEM_FOLDERS)), reason="Debian's package of the data is installed")
def test_the_full_data_where_it_is_not_here_is_a_clear_error(course, tmp_path):
    result = check(course, "--data", "full", GRADE_DATA_DIR=str(tmp_path / "none"))
    said = result.stderr.decode()
    assert result.returncode == 2
    assert "The dataset fashion-mnist is not on this machine." in said
    assert "grade data fetch fashion-mnist" in said
