"""What lies in `submitted/`, laid out for nbgrader."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from autograder.course import find_course
from autograder.errors import InternalError
from autograder.results import Status
from tests.test_nbgrader_repair import RELEASED, SOURCE
from tests.tiny_course import write

pytestmark = [pytest.mark.nbgrader, pytest.mark.filterwarnings("ignore")]  # nbgrader's own

COURSE = find_course(Path(__file__))


@pytest.fixture
def staged(tmp_path):
    from autograder.nbgrader.staging import stage_one

    source, target = tmp_path / "submitted", tmp_path / "staged"
    source.mkdir()

    def stage():
        said = stage_one(source, target, {"hw1": RELEASED})
        return SimpleNamespace(said=said, folder=target, names={path.name for path in target.iterdir()})

    return SimpleNamespace(source=source, stage=stage)


def test_what_is_in_order_is_only_linked_to(staged):
    write(staged.source / "hw1.ipynb", SOURCE)
    write(staged.source / "notes/own.ipynb", SOURCE)
    done = staged.stage()
    assert done.said == []
    assert done.folder.is_symlink()


@pytest.mark.parametrize("name", ["hw1 (1).ipynb", "HW1.ipynb", "inside/hw1.ipynb", "张三.ipynb"])
def test_a_renamed_notebook_is_found(staged, name):
    write(staged.source / name, SOURCE)
    write(staged.source / "data.csv", "1")
    done = staged.stage()
    assert len(done.said) == 1
    assert name in done.said[0]
    assert {"hw1.ipynb", "data.csv"} <= done.names


def test_of_several_the_one_that_has_the_released_cells_is_taken(staged):
    write(staged.source / "a.ipynb", '{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    write(staged.source / "b.ipynb", SOURCE)
    write(staged.source / "c.ipynb", "no notebook")
    assert staged.stage().said == ["b.ipynb was taken for hw1.ipynb; not: a.ipynb, c.ipynb."]


def test_without_any_notebook_there_is_one_that_says_so(staged):
    write(staged.source / "hw1.py", "x = 1")
    done = staged.stage()
    assert len(done.said) == 1
    assert {"hw1.ipynb", "hw1.py"} == done.names


@pytest.mark.parametrize("said", ["yesterday-ish", "\xff\xfe", "2026-13-45 99:99"])
def test_a_time_that_can_not_be_read_stops_nothing(staged, said):
    write(staged.source / "hw1.ipynb", SOURCE)
    write(staged.source / "timestamp.txt", said)
    done = staged.stage()
    assert len(done.said) == 1
    assert done.names == {"hw1.ipynb"}


def test_security_links_lead_nowhere(staged, tmp_path):
    secret = write(tmp_path / "secret/key.txt", "secret")
    write(staged.source / "hw1.ipynb", SOURCE)
    (staged.source / "key.txt").symlink_to(secret)
    (staged.source / "keys").symlink_to(secret.parent, target_is_directory=True)
    os.mkfifo(staged.source / "pipe")
    # Without us they would: nbgrader copies what a link leads to.
    shutil.copytree(staged.source, tmp_path / "copied", ignore=shutil.ignore_patterns("pipe"))
    assert (tmp_path / "copied/key.txt").read_text(encoding="utf-8") == "secret"
    done = staged.stage()
    assert len(done.said) == 1
    assert done.names == {"hw1.ipynb"}
    (staged.source / "hw1.ipynb").unlink()
    (staged.source / "hw1.ipynb").symlink_to(write(tmp_path / "peer/hw1.ipynb", SOURCE))
    shutil.rmtree(done.folder)
    again = staged.stage()
    assert "no notebook hw1.ipynb" in " ".join(again.said)


@pytest.mark.parametrize("where", ["name", "metadata", "output"])
def test_security_half_of_a_surrogate_pair_anywhere_can_be_written(staged, where):
    """JSON can hold one, UTF-8 can't: writing the repaired notebook would raise."""
    notebook = json.loads(SOURCE)
    half = {"\ud800": "\udfff"}
    if where == "name":
        notebook |= half
    elif where == "metadata":
        notebook["cells"][0]["metadata"] |= half
    else:
        stream = {"output_type": "stream", "name": "stdout", "text": "\ud800"}
        next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["outputs"] = [stream]
    write(staged.source / "hw1 (1).ipynb", json.dumps(notebook))
    with pytest.raises(UnicodeEncodeError):
        json.dumps(notebook, ensure_ascii=False).encode()
    done = staged.stage()
    assert len(done.said) == 1
    assert "\ud800" not in (done.folder / "hw1.ipynb").read_text(encoding="utf-8")


def test_security_a_cell_of_an_impossible_kind_is_repaired(staged):
    notebook = json.loads(SOURCE)
    notebook["cells"][0]["cell_type"] = ["markdown"]
    write(staged.source / "hw1.ipynb", json.dumps(notebook))
    assert len(staged.stage().said) == 1


@pytest.mark.parametrize("begun", [True, False])
def test_security_what_can_not_be_looked_through_stops_nobody_else(staged, tmp_path, monkeypatch, begun):
    from autograder.nbgrader import staging

    def fails(source, target, released):
        if begun:
            write(target / "half.ipynb", "")
        raise RecursionError("too deep")

    write(staged.source / "hw1.ipynb", SOURCE)
    monkeypatch.setattr(staging, "stage_one", fails)
    target = tmp_path / "staged/s01/hw1"  # nbgrader's; its folders are not there yet
    said = staging._staged_one(staged.source, target, {"hw1": RELEASED})
    assert said == ["The files could not be looked through, and were left as they are (RecursionError: too deep)."]
    assert [path.name for path in target.iterdir()] == ["hw1.ipynb"]
    assert (target / "hw1.ipynb").read_text(encoding="utf-8") == SOURCE


def test_security_links_lead_nowhere_where_the_repair_fails_either(staged, tmp_path, monkeypatch):
    from autograder.nbgrader import staging

    def fails(*_):
        raise RecursionError("too deep")

    write(staged.source / "hw1.ipynb", SOURCE)
    (staged.source / "key.txt").symlink_to(write(tmp_path / "secret/key.txt", "secret"))
    monkeypatch.setattr(staging, "stage_one", fails)
    target = tmp_path / "staged/s01/hw1"
    assert len(staging._staged_one(staged.source, target, {"hw1": RELEASED})) == 1
    assert [path.name for path in target.iterdir()] == ["hw1.ipynb"]
    monkeypatch.setattr(staging, "_copy", lambda source, target, _: target.parent.mkdir() or target.symlink_to(source))
    other = tmp_path / "staged/s02/hw1"  # without the layer
    staging._staged_one(staged.source, other, {"hw1": RELEASED})
    assert (other / "key.txt").read_text(encoding="utf-8") == "secret"


def test_our_own_fault_is_no_grade_and_changes_nothing(tmp_path):
    import nbformat
    from traitlets.config import Config

    from autograder.judge.check import check_submission
    from autograder.judge.options import AttemptOptions
    from autograder.notebook.preprocessor import REPORT, GradeNotebook

    path = write(tmp_path / "hw1.ipynb", SOURCE)
    report = check_submission("hw1", path, COURSE.folder, AttemptOptions(tasks=("1.1",)))
    resources = {
        "nbgrader": {"assignment": "hw1", "student": "s01", REPORT: report},
        "metadata": {"path": str(tmp_path), "name": "hw1"},
    }
    config = Config({"GradeNotebook": {"course": str(COURSE.folder), "language": "zh"}})
    notebook = nbformat.reads(SOURCE, as_version=4)
    GradeNotebook(config=config).preprocess(notebook, resources)
    assert any(cell.get("outputs") for cell in notebook.cells)
    before = nbformat.reads(SOURCE, as_version=4)
    resources["nbgrader"][REPORT] = report.model_copy(update={"status": Status.INTERNAL})
    with pytest.raises(InternalError, match="评分系统"):
        GradeNotebook(config=config).preprocess(before, resources)
    assert not any(cell.get("outputs") for cell in before.cells)
