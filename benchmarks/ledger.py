"""What the ledger of a large course costs: a run with nothing to do, re-scoring, `grade status`, `grade export`.

    python benchmarks/ledger.py [--students 5000] [--rounds 3]

Every student has handed in hw1 and hw2 and is graded: the reference solution's report of each, with measured values of
the student's own. Beside each command stands what the machine alone takes for it: sqlite3 reading every row of every
table, and writing a copy of the file to the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert
from timing import GRADE, ROOT, medians, table

from autograder.course import LoadedAssignment, load_course
from autograder.judge.attempt import run_attempt
from autograder.ledger.database import FILE, FOLDER, Ledger
from autograder.ledger.models import (
    Attempt,
    Base,
    CheckRow,
    HandedInBy,
    MetricRow,
    Recognition,
    Student,
    SubmissionRow,
)
from autograder.results import CheckResult, MetricResult, Report, Thresholds
from autograder.run.keys import assignment_sha256, conditions_of
from autograder.run.options import options_for
from autograder.score import score_metric
from autograder.submission import read_file

SOLUTIONS = {"hw1": "solutions/hw1_perceptron/perceptron.py", "hw2": "solutions/hw2_mlp/mlp_torch.py"}
AIM_S = {"grade run, nothing to do": "1 s", "grade run, a changed threshold": "2 s"}
THRESHOLDS = ("zero: 0.5", "zero: 0.4")  # of hw2, in turn
MOMENT = datetime(2026, 10, 1, 12, tzinfo=UTC)

Rows = dict[type[Base], list[dict[str, Any]]]


def main() -> None:
    """Make the ledger, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--students", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with course_of(asked.students) as folder:
        database = folder / FOLDER / FILE
        plain = {"sqlite3 reads every row": lambda: read_all(database), "the file is copied": lambda: copy(database)}
        runs: dict[str, Callable[[], object]] = {
            "grade run, nothing to do": grade(folder, "run", "hw1", "--device", "cpu"),
            "grade status": grade(folder, "status"),
            "grade export": grade(folder, "export", "hw1", "--out", "grades.csv"),
            # Last of a round: it adds to the ledger.
            "grade run, a changed threshold": lambda: rescore(folder),
        }
        cpu_s: dict[str, list[float]] = {name: [] for name in runs}
        counted = {name: partial(count_cpu, run, cpu_s[name]) for name, run in runs.items()}
        taken = medians(plain | counted, asked.rounds)
        size_mb = database.stat().st_size / 1e6
    reading, copying = (taken[name] for name in plain)
    rows = [(name, f"{taken[name]:.2f} s", "") for name in plain]
    for name in runs:
        beside = copying if name in AIM_S and "threshold" in name else reading
        aim = f", aim {AIM_S[name]} for 5,000" if name in AIM_S else ""
        measured = f"{taken[name]:.2f} s ({median(cpu_s[name]):.2f} s of CPU)"
        rows.append((name, measured, f"{taken[name] / beside:.1f} × the plain one{aim}"))
    title = (
        f"ledger of {asked.students} students, 2 assignments, {size_mb:.0f} MB at the end; medians of {asked.rounds}"
    )
    table(title, rows)


# --- what is measured -------------------------------------------------------------------------------------------------


def grade(folder: Path, *arguments: str) -> Callable[[], object]:
    """Return a function that runs a command in the course."""

    def run() -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run([*GRADE, *arguments], cwd=folder, env=environment, check=True, capture_output=True)

    return run


def count_cpu(run: Callable[[], object], spent_s: list[float]) -> None:
    """Run a command, and note the processor time that it took: that hangs less on what else the machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def rescore(folder: Path) -> None:
    """Change a threshold, and grade."""
    (file,) = folder.glob("assignments/hw2*/assignment.yml")
    before = file.read_text(encoding="utf-8")
    old, new = THRESHOLDS if THRESHOLDS[0] in before else THRESHOLDS[::-1]
    file.write_text(before.replace(old, new), encoding="utf-8")
    grade(folder, "run", "hw2", "--device", "cpu")()


def read_all(database: Path) -> None:
    """Read every row of every table."""
    with closing(sqlite3.connect(database)) as connection:
        for name in Base.metadata.tables:
            for _ in connection.execute(f"SELECT * FROM {name}"):  # noqa: S608 - our own table's name
                pass


def copy(database: Path) -> None:
    """Write a copy to the disk."""
    target = database.with_name("copy")
    shutil.copyfile(database, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


# --- the ledger -------------------------------------------------------------------------------------------------------


@contextmanager
def course_of(students: int) -> Iterator[Path]:
    """Make a course in which everybody is graded."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(ROOT / "assignments", folder / "assignments")
        shutil.copy(ROOT / "course.yml", folder)
        course = load_course(folder)
        rows: Rows = {
            one: [] for one in (Student, SubmissionRow, Recognition, HandedInBy, Attempt, CheckRow, MetricRow)
        }
        rows[Student] = [
            {"id": str(2_026_000 + one), "name": f"Student {one}", "email": f"{one}@example.edu", "section": "A",
             "pseudonym": f"amber-fox-{one}", "left": False}
            for one in range(students)
        ]  # fmt: skip
        for name in SOLUTIONS:
            fill(rows, course.assignment(name), students)
        with Ledger(folder / FOLDER) as ledger, ledger.writing() as session:
            for model, made in rows.items():
                session.execute(insert(model), made)
        yield folder


def fill(rows: Rows, assignment: LoadedAssignment, students: int) -> None:
    """Add an assignment: for each student a submission and an attempt at it."""
    options, isolation = options_for(assignment, "cpu", "auto")
    report = run_attempt(assignment, read_file(ROOT / SOLUTIONS[assignment.id]), options)
    conditions = conditions_of(assignment, options, isolation)
    chance = random.Random(assignment.id)  # noqa: S311
    for student in range(students):
        number = len(rows[SubmissionRow]) + 1
        sha256 = hashlib.sha256(f"{assignment.id} {student}".encode()).hexdigest()
        key = conditions.key(sha256)
        name = f"{2_026_000 + student}.py"
        rows[SubmissionRow].append(
            {"id": number, "assignment": assignment.id, "sha256": sha256, "name": name, "origin": f"folder:{name}",
             "received": MOMENT, "collected": MOMENT, "notes": []}
        )  # fmt: skip
        rows[Recognition].append({"id": number, "submission_id": number, "how": "id", "who": "teacher", "at": MOMENT})
        rows[HandedInBy].append({"recognition_id": number, "student_id": str(2_026_000 + student)})
        checks = [_varied(check, chance) for check in report.checks]
        rows[Attempt].append(
            {"id": number, "submission_id": number, "key": str(key), "measured": key.measured, "rescored_from": None,
             "assignment_sha256": assignment_sha256(assignment), "host": "bench", "started": MOMENT,
             "limits": assignment.limits.model_dump(mode="json"), **_told(report, sum(one.score for one in checks))}
        )  # fmt: skip
        for position, check in enumerate(checks):
            _add_check(rows, number, position, check)


def _varied(check: CheckResult, chance: random.Random) -> CheckResult:
    """Return a check with measured values of its own."""
    metrics: dict[str, MetricResult] = {}
    for name, metric in check.metrics.items():
        values = [10 ** chance.uniform(-2.5, 0) for _ in metric.values]
        if metric.full is None or metric.zero is None:
            metrics[name] = metric
        else:
            thresholds = Thresholds(metric.better, metric.full, metric.zero, metric.scale)
            metrics[name] = score_metric(values, thresholds, metric.max_points)
    graded = [one.score for one in metrics.values() if one.max_points > 0]
    return check.model_copy(update={"metrics": metrics} | ({"score": graded[0]} if graded else {}))


def _told(report: Report, score: float) -> dict[str, Any]:
    own = ("checks_sha256", "max_points", "isolation", "device")
    document = report.model_copy(update={"score": score}).model_dump(mode="json", exclude={"checks", "metrics"})
    return {name: getattr(report, name) for name in own} | {
        "status": report.status.value, "score": score, "report": document
    }  # fmt: skip


def _add_check(rows: Rows, number: int, position: int, check: CheckResult) -> None:
    same = ("task", "title", "score", "max_points", "hidden")
    rows[CheckRow].append(
        {"attempt_id": number, "position": position, "check_id": check.id, "status": check.status.value,
         "told": check.model_dump(mode="json", exclude={*same, "id", "status", "metrics"}),
         **{name: getattr(check, name) for name in same}}
    )  # fmt: skip
    rows[MetricRow] += [
        {"attempt_id": number, "position": position, "name": name, "result": metric.model_dump(mode="json")}
        for name, metric in check.metrics.items()
    ]


if __name__ == "__main__":
    main()
