"""docs/nbgrader.md is a transcript: its commands are typed here, and what they print is what stands there.

python -m tests.test_nbgrader_page        writes the page anew
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.course import load_course
from autograder.notebook.generate import make_notebook, notebook_files
from tests.pages import lines_of, written_anew
from tests.tiny_course import ROOT, write

pytestmark = [pytest.mark.nbgrader, pytest.mark.ci]

PAGE = ROOT / "docs" / "nbgrader.md"
COURSE = """\
id: dl101
title: {en: Deep learning, zh: 深度学习}
timezone: Asia/Shanghai
assignments: [{id: hw1, due: 2099-12-06T23:59}]
"""
ROSTER = "id,name\ns01,李华\ns02,张三\ns03,王芳\ns04,赵敏\n"
SECONDS = re.compile(r"\b\d+\.\d s\b")


def course(folder: Path) -> None:
    """Make the course that the page speaks of, with what its students will hand in."""
    write(folder / "course.yml", COURSE)
    for name in ("assignments", "solutions"):
        shutil.copytree(ROOT / name / "hw1_perceptron", folder / name / "hw1_perceptron")
    write(folder / "roster.csv", ROSTER)
    hw1 = load_course(folder).assignment("hw1")
    right = make_notebook(hw1, notebook_files(hw1)[0], "solution")
    copied = json.loads(right)
    copied["cells"].append(copied["cells"][-1])
    for student, name, content in (
        ("s01", "hw1", right),
        ("s02", "hw1", right.replace("!= label for", "== label for")),
        ("s03", "hw1 (1)", json.dumps(copied)),
        ("s04", "hw1", "I have dropped my laptop"),
    ):
        write(folder / f"class/submitted/{student}/hw1/{name}.ipynb", content)
        if student != "s04":
            write(folder / f"handed_in/{student}/hw1.ipynb", content)


def typed(folder: Path, command: str) -> list[str]:
    """Type a command of the page; return what it prints. Of nbgrader's own only whether it worked is looked at."""
    program, *arguments = shlex.split(command)
    if "autograde" in arguments or arguments[0] == "run":
        arguments += ["--isolation", "process", "--device", "cpu", "--jobs", "1"]
    if arguments[:2] == ["nbgrader", "pull"]:
        give_by_hand(folder)
    if program == "nbgrader":
        lines_of(folder, "nbgrader", *arguments)
        return []
    return [SECONDS.sub("0.9 s", line).rstrip() for line in lines_of(folder, "autograder", *arguments)]


def give_by_hand(folder: Path) -> None:
    """Give s02 all points of a cell, as a grader does in formgrader."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder}/gradebook.db", "dl101") as gradebook:
        grade = gradebook.find_grade("hw1-task-1-5-public", "hw1", "hw1", "s02")
        grade.manual_score, grade.needs_manual_grade = grade.max_score, False
        gradebook.db.commit()


def typing(folder: Path) -> Callable[[str], list[str]]:
    """Return what types the page's commands, each in the folder that those before it have gone to."""
    here = folder

    def type_(command: str) -> list[str]:
        nonlocal here
        if command.startswith("cd "):
            here /= command.removeprefix("cd ")
            return []
        return typed(here, command)

    return type_


def test_the_page_says_what_the_commands_print(tmp_path):
    course(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    assert written_anew(page, typing(tmp_path)) == page


def _write() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        course(folder)
        page = written_anew(PAGE.read_text(encoding="utf-8"), typing(folder))
    finally:
        shutil.rmtree(folder)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    _write()
