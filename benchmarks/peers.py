"""A class's homework 2 by `grade run`, by plain pytest processes and by `otter run`, side by side.

    python benchmarks/peers.py [--submissions 24] [--rounds 1] [--otter ENVIRONMENT]

The same submissions (the reference solution, a line of its own in each), the same ten checks with all seeds and hidden
ones, the same number of threads, and as many at a time as there are cores. Beside them the ten trainings by themselves,
in plain processes, just as many at a time, without the import of the framework. Then

    overhead of a submission = wall time × cores / submissions - the trainings by themselves.

Each is measured with its start: `grade run` imports the framework once, the others once a submission. What a submission
costs beyond that is in class_run.py.

Otter-Grader gets a virtual environment of its own, made here once and kept (`--otter`), which finds the framework in
this Python's packages; its checks are `otter/hw2.py`. On a machine with other work only the order of things counts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.table import Table
from timing import GRADE, ROOT
from training import HW2_TORCH, environment, trainings_alone

OTTER = ("otter-grader>=7,<8", "ipykernel")
CHECKS = Path(__file__).with_name("otter") / "hw2.py"
STEPS, FOR_STEPS = 500, "for _ in range({}):"  # of the reference solution
GRADE_RUN, PYTEST, OTTER_RUN = "grade run", "pytest, a process each", "otter run, a process each"


class Run(NamedTuple):
    """What grading all submissions once took."""

    wall_s: float
    busy: float  # share of the processors' time, by whomever


class Class:
    """A scratch course with submissions.

    Args:
        folder: to make it in.
        count: of submissions.
        at_once: how many are graded at a time.
        steps: of each training.
    """

    def __init__(self, folder: Path, count: int, at_once: int, steps: int) -> None:
        self.folder, self.at_once, self._steps = folder, at_once, steps
        self.environment = {**environment(), "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        shutil.copytree(ROOT / "assignments" / "hw2_mlp", folder / "assignments" / "hw2_mlp")
        (folder / "course.yml").write_text("id: peers\ntitle: {en: Peers}\nassignments: [{id: hw2}]\n")
        solution = HW2_TORCH.read_text(encoding="utf-8")
        assert FOR_STEPS.format(STEPS) in solution
        solution = solution.replace(FOR_STEPS.format(STEPS), FOR_STEPS.format(steps))
        self.students = [f"s{number}" for number in range(count)]
        for student in self.students:
            self.file_of(student).parent.mkdir(parents=True)
            self.file_of(student).write_text(f"{solution}\n# submission {student}\n", encoding="utf-8")

    def file_of(self, student: str) -> Path:
        """Return what a student hands in."""
        return self.folder / "submitted" / student / "mlp.py"

    def run(self, *command: str | Path) -> str:
        """Run a command in the course, and return what it printed."""
        done = subprocess.run(
            list(map(str, command)), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode > (self._steps < STEPS):  # what is hardly trained fails checks, which pytest tells by a 1
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def each(self, command_of: Callable[[str], Sequence[str | Path]]) -> None:
        """Run one command for each student, so many at a time."""
        with ThreadPoolExecutor(self.at_once) as pool:
            list(pool.map(lambda student: self.run(*command_of(student)), self.students))


# --- the three --------------------------------------------------------------------------------------------------------


def by_grade(course: Class) -> Callable[[], None]:
    """Take in what was submitted, and return what grades it."""
    with (course.folder / "roster.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("student_id", "name"), *((one, one) for one in course.students)])
    course.run(*GRADE, "roster", "import", "roster.csv", "--yes")
    course.run(*GRADE, "collect", "hw2", "submitted")

    def run() -> None:
        again = ("--again", "--jobs", str(course.at_once), "--device", "cpu")
        told = json.loads(course.run(*GRADE, "run", "hw2", *again, "--json"))
        ended = [one["ended"] for one in told["done"]]
        assert ended == ["graded"] * len(course.students), ended

    return run


def by_pytest(course: Class) -> Callable[[], None]:
    """Return what grades with nothing but pytest and our plugin."""
    options = ("-p", "autograder.judge.plugin", "-p", "no:cacheprovider", "-q", "--grade-full", "--grade-device", "cpu")
    command = (sys.executable, "-m", "pytest", "assignments/hw2_mlp", *options, "--submission")
    return lambda: course.each(lambda student: (*command, course.file_of(student)))


def by_otter(course: Class, otter: Path) -> Callable[[], None]:
    """Make what `otter run` needs, and return what grades with it."""
    if not (otter / "bin" / "otter").exists():
        make_environment(otter)
    zipped = course.folder / "autograder.zip"
    with zipfile.ZipFile(zipped, "w") as file:
        file.write(CHECKS, "tests/hw2.py")
        file.writestr("otter_config.json", "{}")
    results = course.folder / "results"
    for student in course.students:
        (results / student).mkdir(parents=True)

    def run() -> None:
        course.each(
            lambda student: (
                otter / "bin" / "otter", "run", course.file_of(student), "-a", zipped,
                "-o", results / student, "--no-logo",
            )
        )  # fmt: skip
        for student in course.students:
            told = json.loads((results / student / "results.json").read_text())
            assert any(test.get("score", 0) > 0 for test in told["tests"]), told

    return run


def make_environment(folder: Path) -> None:
    """Make a virtual environment with Otter-Grader in it, and this Python's packages behind its own."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *OTTER], check=True)
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "framework.pth").write_text(f"{sysconfig.get_path('purelib')}\n")


# --- measuring --------------------------------------------------------------------------------------------------------


def measure(run: Callable[[], None]) -> Run:
    """Run once."""
    psutil.cpu_percent()
    began = time.perf_counter()
    run()
    return Run(time.perf_counter() - began, psutil.cpu_percent() / 100)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--submissions", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--otter", type=Path, default=ROOT / "build" / "otter", help="the environment, made if missing")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each training; fewer only to try this out")
    asked = parser.parse_args()
    cores, count = os.cpu_count() or 1, asked.submissions
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        course = Class(Path(temporary), count, cores, asked.steps)
        ways = {
            GRADE_RUN: by_grade(course),
            PYTEST: by_pytest(course),
            OTTER_RUN: by_otter(course, asked.otter.resolve()),
        }
        taken: dict[str, list[Run]] = {way: [] for way in ways}
        alone: list[float] = []
        for _ in range(asked.rounds):
            alone += trainings_alone(course.file_of(course.students[0]), cores, course.environment)
            for way, run in ways.items():
                taken[way].append(measure(run))
    table = Table("by", "wall", "each", "overhead", "cores busy", "beside it", title_justify="left")
    table.title = (
        f"{count} hw2 submissions, {cores} at a time, medians of {asked.rounds}; trainings alone "
        f"{statistics.median(alone):.2f} s (of {len(alone)}); load before {load:.1f}"
    )
    overheads = {}
    for way, runs in taken.items():
        wall = statistics.median(run.wall_s for run in runs)
        overheads[way] = wall * cores / count - statistics.median(alone)
        ratio = statistics.median(run.wall_s for run in runs) / statistics.median(
            run.wall_s for run in taken[GRADE_RUN]
        )
        beside = f"{ratio:.2f} × wall, {overheads[way] / overheads[GRADE_RUN]:.1f} × overhead of grade run"
        busy = statistics.median(run.busy for run in runs)
        table.add_row(
            way, f"{wall:.1f} s", f"{wall * cores / count:.2f} s", f"{overheads[way]:.2f} s", f"{busy:.0%}", beside
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
