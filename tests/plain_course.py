"""Plain nbgrader assignments through nbgrader's own converters, many of them in one process: `grade_all`.

As a program it reads from stdin what is to be graded and prints what it came to; nbgrader warns too much to be run in
pytest's own process, and is too slow to be started for each assignment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from autograder.limits import Limits
from autograder.notebook.plain_config import plain_config_lines
from tests.tiny_course import environment

STOCK = "c.GradeBoxProvisioner.threads = 1"  # and nothing else: nbgrader as it comes


def config_text(*more: str, stock: bool = False) -> str:
    ours = [STOCK] if stock else plain_config_lines(Limits(memory_mb=700, threads=1), total_s=60)
    return "\n".join(["c = get_config()", 'c.CourseDirectory.course_id = "dl101"', *ours, *more, ""])


def assignment(source, students, *, files=(), config=(), release=()):
    """Return what one assignment is, by paths; students in `release` hand in what is released."""
    return {
        "source": str(source),
        "students": {name: str(path) for name, path in students.items()},
        "files": [str(path) for path in files],
        "config": list(config),
        "release": list(release),
    }


def grade_all(root, assignments, *, stock=False, config=(), timeout_s=1700):
    """Grade assignments, and return for each student of each: score, points, whether a human has to look."""
    root.mkdir(exist_ok=True)
    (root / "nbgrader_config.py").write_text(config_text(*config, stock=stock), encoding="utf-8")
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.plain_course", str(root)],
        input=json.dumps(assignments), cwd=root, env=environment(PATH=commands), capture_output=True, text=True,
        check=False, timeout=timeout_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def notebook(*cells):
    """Return a notebook of code cells: source, and nbgrader's metadata by keywords."""
    made = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    )
    for source, kind in cells:
        cell = nbformat.v4.new_code_cell(source)
        if kind:
            cell.metadata["nbgrader"] = {
                "schema_version": 3, "grade": "points" in kind, "solution": False, "locked": "points" in kind,
                "task": False, **kind,
            }  # fmt: skip
        made.cells.append(cell)
    return nbformat.writes(made)


def _main(root: Path) -> None:
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config, PyFileConfigLoader

    results = {}
    for name, wanted in json.loads(sys.stdin.read()).items():
        config = PyFileConfigLoader(str(root / "nbgrader_config.py")).load_config()
        config.merge(Config({"CourseDirectory": {"root": str(root)}}))
        for line in wanted["config"]:
            exec(line, {"c": config})
        api = NbGraderAPI(CourseDirectory(config=config), config=config)
        source = root / "source" / name
        source.mkdir(parents=True)
        shutil.copy(wanted["source"], source / "p1.ipynb")
        for file in wanted["files"]:
            shutil.copy(file, source)
        made = api.generate_assignment(name, force=True)
        assert made["success"], made
        handed_in = {
            **wanted["students"],
            **dict.fromkeys(wanted["release"], str(root / "release" / name / "p1.ipynb")),
        }
        for student, path in handed_in.items():
            folder = root / "submitted" / student / name
            folder.mkdir(parents=True)
            shutil.copy(path, folder / "p1.ipynb")
        results[name] = {student: api.autograde(name, student)["success"] for student in handed_in}
        with Gradebook(f"sqlite:///{root}/gradebook.db") as gb:
            for student in [one for one, graded in results[name].items() if graded]:
                found = gb.find_submission_notebook("p1", name, student)
                results[name][student] = [found.score, found.max_score, found.needs_manual_grade]
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
