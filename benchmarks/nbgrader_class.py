"""A class of hw2 notebooks: `grade nbgrader autograde` against nbgrader's own Execute, in turns.

    python benchmarks/nbgrader_class.py [--students 12] [--rounds 1]

Every notebook is right. Stock nbgrader runs the tests in the notebook's cells: as many trainings, of as many points, as
our checks make of the same notebook, one student after the other in one kernel each. The trainings alone are measured
in between, one after the other in one process, and what is left beside them is what grading costs: of a core's time
where more than one works. All compute with one thread, as our boxes do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nbgrader.api import Gradebook
from timing import GRADE, ROOT, medians, table

from autograder.course import find_course
from autograder.notebook.generate import make_notebook, notebook_files

PREPARE = """\
import numpy as np
import torch

def _points(n, seed):
    return np.random.default_rng(seed).uniform(-2, 2, size=(n, 2)).astype("float32")

def _fits(n, seed):
    x = _points(n, 20)
    y = (x ** 2).sum(1, keepdims=True).astype("float32")
    new = _points(1000, 26)
    model = fit(x, y, seed=seed)
    with torch.no_grad():  # not by predict, which is defined further down
        predicted = model(torch.from_numpy(new)).numpy()
    assert ((predicted.reshape(-1) - (new ** 2).sum(1)) ** 2).mean() < 1

"""
# How many points, with which seeds: what the checks of each cell train.
TRAININGS = {
    "hw2-task-2-1-public": [(500, 0), (1000, 0), (1000, 1), (1000, 2)],
    "hw2-task-2-1-hidden": [(1000, 0), (1000, 1), (1000, 2), (1000, 0)],
    "hw2-task-2-3-public": [(500, 0), (64, 0)],
}
STOCK = 'c = get_config()\nc.CourseDirectory.course_id = "stock"\nc.ExecutePreprocessor.timeout = 600\n'
HW2 = find_course(ROOT).assignment("hw2")
NOTEBOOK = make_notebook(HW2, notebook_files(HW2)[0], "solution")


def main() -> None:
    """Make both courses, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--students", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours, stock = Path(folder, "ours"), Path(folder, "stock")
        for course in (ours, stock):
            course.mkdir()
        run([*GRADE, "nbgrader", "init", str(ours), "--assignment", "hw2", "--framework", "torch"], ROOT)
        (stock / "nbgrader_config.py").write_text(STOCK, encoding="utf-8")
        (stock / "source/hw2").mkdir(parents=True)
        (stock / "source/hw2/hw2.ipynb").write_text(with_tests(NOTEBOOK), encoding="utf-8")
        for course in (ours, stock):
            run([*NBGRADER, "generate_assignment", "hw2"], course)
            hand_in(course, asked.students)
        runs = {
            ALONE: lambda: trainings(asked.students),
            STOCKS: lambda: run([*NBGRADER, "autograde", "hw2", "--force"], stock),
            "grade nbgrader autograde": lambda: run([*GRADE, "nbgrader", "autograde", "hw2", "--force"], ours),
            "grade nbgrader autograde --jobs 1": lambda: run(
                [*GRADE, "nbgrader", "autograde", "hw2", "--force", "--jobs", "1"], ours
            ),
        }
        taken = medians(runs, asked.rounds)
        for course in (ours, stock):
            all_right(course, asked.students)
    rows = []
    for (name, seconds), cores in zip(taken.items(), (1, 1, os.cpu_count() or 1, 1), strict=True):
        beside = (seconds * cores - taken[ALONE]) / asked.students
        faster = f"{taken[STOCKS] / seconds:.1f} × as fast as stock; {beside:+.2f} s of a core each on training"
        rows.append((name, f"{seconds:.1f} s, {seconds / asked.students:.2f} s each", faster))
    table(f"{asked.students} right hw2 notebooks on {os.cpu_count()} cores; medians of {asked.rounds}", rows)


ALONE, STOCKS = "the trainings alone, one after the other", "nbgrader autograde"
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
NBGRADER = [sys.executable, "-W", "ignore", "-m", "nbgrader"]


def run(command: list[str], folder: Path) -> None:
    """Run a command in a folder."""
    # nbgrader looks for alembic, by that name, where commands are looked for
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = ONE_THREAD | {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def with_tests(source: str) -> str:
    """Return the notebook with tests in its check cells, as nbgrader's own assignments have them."""
    notebook = json.loads(source)
    for cell in notebook["cells"]:
        marked = cell["metadata"].get("nbgrader", {})
        if marked.get("grade"):
            fits = "".join(f"_fits({n}, {seed})\n" for n, seed in TRAININGS.get(marked["grade_id"], []))
            cell["source"] = PREPARE + fits
    return json.dumps(notebook)


def hand_in(course: Path, students: int) -> None:
    """Have everybody hand in the notebook with its solutions."""
    for number in range(students):
        target = course / f"submitted/s{number:03}/hw2"
        shutil.copytree(course / "source/hw2", target)


def trainings(students: int) -> None:
    """Train as often as the checks of all students do, in one process that does nothing else."""
    fits = "".join(f"_fits({n}, {seed})\n" for cell in TRAININGS.values() for n, seed in cell)
    solution = (HW2.solutions / "mlp_torch.py").read_text(encoding="utf-8")
    program = f"{solution}\n{PREPARE}\n" + fits * students
    subprocess.run([sys.executable, "-c", program], env=ONE_THREAD, check=True)


def all_right(course: Path, students: int) -> None:
    """Make sure that every test was run to its end: what fails early is fast."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        scores = [(one.score, one.max_score) for one in gradebook.assignment_submissions("hw2")]
    if len(scores) != students or any(score != most for score, most in scores):
        raise SystemExit(f"{course.name}: not all points for all {students}: {scores}")


if __name__ == "__main__":
    main()
