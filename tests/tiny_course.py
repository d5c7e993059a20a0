"""A course with one small assignment, made in a temporary folder, for tests of the judge and of the commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from autograder.course import LoadedAssignment, load_course
from autograder.judge.attempt import run_attempt
from autograder.judge.options import AttemptOptions
from autograder.results import CheckResult, Report
from autograder.stub import make_stub
from autograder.submission import Submission, read_file

ROOT = Path(__file__).resolve().parents[1]

COURSE = """\
id: tiny
title: {en: Tiny course, zh: 小课程}
limits: {import_s: 30, call_s: 30}
assignments: [{id: hw1}]
"""

ASSIGNMENT = """\
id: hw1
title: {en: Sums, zh: 求和}
points: 40
notebooks: false
entry:
  file: sums.py
  names: [add, slope]
  trainings: [slope]
seeds: [0, 1, 2]
tasks:
  - {id: "1.1", title: {en: Adding, zh: 加法}, points: {public: 10, hidden: 10}}
  - {id: "2", title: {en: A line, zh: 直线}, points: {public: 10, hidden: 10}}
checks:
  test_add: {zh: add 返回两数之和, hint: {en: "Use +.", zh: "用 +。"}}
  test_slope: {zh: slope 拟合直线}
metrics:
  error: {better: lower, full: 0.5, zero: 2.5}
"""

IMPORTS = """\
import pytest

from autograder.judge import as_number, expect, unboxed

"""

CHECK_ADD = '''
@pytest.mark.points(10, task="1.1")
def test_add(submission):
    """add returns the sum of two numbers"""
    came = as_number(submission.add(2, 3), what="add(2, 3)")
    expect(came == 5, expected="5", came=f"{came:g}")

'''

CHECK_SLOPE = '''
@pytest.mark.points(10, task="2", needs=["test_add"])
def test_slope(submission, metric, seeds):
    """slope fits a line"""
    for seed in seeds:
        came = unboxed(submission.slope([1, 2], [3, 6], seed=seed))
        metric("error", abs(as_number(came, what="slope(xs, ys)") - 3))
'''

CHECK_ADD_HIDDEN = '''
@pytest.mark.points(10, task="1.1")
def test_add_negative(submission):
    """add works below zero"""
    came = as_number(submission.add(-20, 3), what="add(-20, 3)")
    expect(came == -17, expected="-17", came=f"{came:g}")

'''

CHECK_SLOPE_HIDDEN = '''
@pytest.mark.points(10, task="2")
def test_slope_negative(submission):
    """slope fits a falling line"""
    came = as_number(unboxed(submission.slope([1, 2], [-3, -6], seed=0)), what="slope(xs, ys)")
    expect(came == -3, expected="-3", came=f"{came:g}")
'''

PUBLIC = IMPORTS + CHECK_ADD + CHECK_SLOPE
HIDDEN = IMPORTS + CHECK_ADD_HIDDEN + CHECK_SLOPE_HIDDEN

SOLUTION = '''\
"""Sums."""


def add(a, b):
    """Return a + b."""
    # BEGIN SOLUTION (Task 1.1: add)
    return a + b
    # END SOLUTION


def slope(xs, ys, seed=0):
    """Return the slope of the line through the origin."""
    # BEGIN SOLUTION (Task 2: slope)
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
    # END SOLUTION
'''

# Wrong answers: what is put in place of the solution's two returned expressions.
_ADD, _SLOPE = "a + b", "sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)"
LOOP = "def add(a, b):\n    while True: pass\ndef slope(xs, ys, seed=0): return 0\n"
WRONG = {
    "minus": (_ADD, "a - b"),
    "first": (_ADD, "a"),
    "times": (_ADD, "a * b"),
    "constant": (_ADD, "5 - (a < 0)"),
    "one_off": (_SLOPE, f"{_SLOPE} + 1"),
    "zero": (_SLOPE, "0"),
    "text": (_SLOPE, "'3'"),
    "crash": (_SLOPE, "xs[9]"),
}


def expectation(name: str) -> str:
    """Return the expect.yml of a wrong answer."""
    fails = {"constant": "test_add_negative"}.get(name, "test_add" if WRONG[name][0] == _ADD else "test_slope")
    may = "test_slope, test_slope_negative, test_add_negative"
    return f"why: {{en: {name}}}\nfails: [{fails}]\nmay_fail: [{may}]\nscore: [0, 30]\nrun: all\n"


def wrong_answer(name: str) -> str:
    """Return the source of a wrong answer."""
    return SOLUTION.replace(*WRONG[name])


def write(path: Path, content: str) -> Path:
    """Write a text file and the folders around it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="\n")
    return path


def make_course(folder: Path, *, wrong: bool = False) -> Path:
    """Make the course with solution and stub, and with the wrong answers where they are asked for."""
    assignment, solutions = folder / "assignments" / "hw1_sums", folder / "solutions" / "hw1_sums"
    write(folder / "course.yml", COURSE)
    write(assignment / "assignment.yml", ASSIGNMENT)
    write(assignment / "tests" / "test_sums_public.py", PUBLIC)
    write(assignment / "hidden" / "test_sums_hidden.py", HIDDEN)
    write(solutions / "sums.py", SOLUTION)
    write(assignment / "sums.py", make_stub(SOLUTION, Path("sums.py")))
    for name in WRONG if wrong else ():
        write(solutions / "wrong" / name / "sums.py", wrong_answer(name))
        write(solutions / "wrong" / name / "expect.yml", expectation(name))
    return folder


def load(course: Path) -> LoadedAssignment:
    return load_course(course).assignment("hw1")


def submission(source: str = SOLUTION) -> Submission:
    return Submission("sums.py", {"sums.py": source.encode()}, "sums.py")


def without_times(report: Report) -> Report:
    """Return a report as every attempt with the same outcome has it."""
    checks = tuple(check.model_copy(update={"duration_s": 0.0}) for check in report.checks)
    return report.model_copy(update={"started_at": "", "duration_s": 0.0, "checks": checks})


def attempt(course: Path, source: str = SOLUTION, **options: object) -> Report:
    """Check `source` as a student's sums.py, in this process."""
    file = write(course / "student" / "sums.py", source)
    assignment = load_course(course).assignment("hw1")
    return run_attempt(assignment, read_file(file), AttemptOptions(**options))


def check_of(report: Report, name: str) -> CheckResult:
    """Return one check's result by its function's name."""
    return next(check for check in report.checks if check.id.endswith(f"::{name}"))


def environment(**changes: str) -> dict[str, str]:
    """Return an environment for a `grade` of its own: this checkout's package, English, no user settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GRADE_", "PYTEST_", "LC_", "COLUMNS")) and name not in {"LANG", "PYTHONIOENCODING"}
    }
    ours = {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "PYTHONUTF8": "0", "PYTHONIOENCODING": "utf-8"}
    return kept | ours | changes


def grade(*arguments: object, cwd: Path, timeout_s: float = 120, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m autograder` and return what it printed, as bytes with the line ends of POSIX."""
    result = subprocess.run(
        [sys.executable, "-m", "autograder", *map(str, arguments)],
        cwd=cwd, env=environment(**env), capture_output=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    result.stdout, result.stderr = (said.replace(b"\r\n", b"\n") for said in (result.stdout, result.stderr))
    return result
