"""A class of an nbgrader course, graded by nbgrader's own command and by ours; damaged notebooks, and cheats."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from autograder.course import find_course
from autograder.notebook.generate import make_notebook, notebook_files
from tests.tiny_course import environment, write

pytestmark = pytest.mark.nbgrader

COURSE = find_course(Path(__file__))
HW1 = COURSE.assignment("hw1")
SOURCE = make_notebook(HW1, notebook_files(HW1)[0], "solution")
STUB = make_notebook(HW1, notebook_files(HW1)[0], "stub")
WRONG = SOURCE.replace("!= label for", "== label for")  # errors counts what is right
FULL = 100
CHEATS_FOLDER = Path(__file__).with_name("cheats") / "notebook"


def cells_of(source=SOURCE):
    return json.loads(source)


def named(notebook, name):
    return next(cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)


def changed(change, source=SOURCE):
    notebook = cells_of(source)
    change(notebook)
    return json.dumps(notebook)


def with_cell(code, at=None):
    """Return the right notebook with one more cell, where nothing else is said at its end."""

    def change(notebook):
        cell = {
            "cell_type": "code",
            "execution_count": None,
            "id": "mine",
            "metadata": {},
            "outputs": [],
            "source": code,
        }
        notebook["cells"].insert(len(notebook["cells"]) if at is None else at, cell)

    return changed(change)


def copied(name):
    return changed(lambda notebook: notebook["cells"].append(dict(named(notebook, name))))


def as_markdown(notebook):
    cell = named(notebook, "hw1-task-1-5-public")
    cell["cell_type"] = "markdown"
    del cell["outputs"], cell["execution_count"]


def without_checks(notebook):
    notebook["cells"] = [cell for cell in notebook["cells"] if not cell["metadata"].get("nbgrader", {}).get("grade")]


# The table of ../shared/facts/nbgrader.md: what students hand in, and what it must come to.
HAND_INS = {
    "right": (SOURCE, FULL),
    "wrong": (WRONG, None),
    "untouched": (STUB, 0),
    "copied_check": (copied("hw1-task-1-5-public"), FULL),
    "copied_solution": (copied("hw1-solution-2"), FULL),
    "as_markdown": (changed(as_markdown), FULL),
    "without_checks": (changed(without_checks), FULL),
    "nulls": (SOURCE[:3000] + "\0" + SOURCE[3000:], FULL),
    "to_stderr": (with_cell("import os, sys\nprint('x', file=sys.stderr)\nos.write(2, b'noise')", at=3), FULL),
    "broken_off": (SOURCE[: SOURCE.index("hw1-task-1-5-public")], None),
    "empty": ("", 0),
    "no_notebook": ("hello", 0),
}
CHEATS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(CHEATS_FOLDER.glob("*.py"))}


def cheating(code, places):
    """Return the untouched notebook, every task of which is worth nothing, with a cheat before it."""
    for name, value in places.items():
        code = code.replace(f"{{{name}}}", str(value))
    notebook = cells_of(STUB)
    first = next(number for number, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code")
    notebook["cells"].insert(
        first,
        {"cell_type": "code", "execution_count": None, "id": "cheat", "metadata": {}, "outputs": [], "source": code},
    )
    return json.dumps(notebook)


def call(module, root, *arguments, status=0):
    # nbgrader looks for alembic, by that name, where commands are looked for
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    warnings = ["-W", "ignore"] if module == "nbgrader" else []  # what ours says, people see
    done = subprocess.run(
        [sys.executable, *warnings, "-m", module, *arguments], cwd=root,
        env=environment(PATH=commands, GRADE_LANG="en"), capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done


def grades(root):
    call("nbgrader", root, "export")
    with (root / "grades.csv").open(encoding="utf-8") as file:
        return {row["student_id"]: float(row["raw_score"]) for row in csv.DictReader(file) if row["raw_score"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a course that was set up by `grade nbgrader init`, and released."""
    root = tmp_path_factory.mktemp("made") / "class"
    root.mkdir()
    (root / "nbgrader_config.py").write_text("# mine\n", encoding="utf-8")
    said = call("autograder", COURSE.folder, "nbgrader", "init", str(root), "--assignment", "hw1").stdout
    call("nbgrader", root, "generate_assignment", "hw1")
    return SimpleNamespace(root=root, said=said)


def class_at(made, folder, hand_ins):
    """Return a copy of the course, with what students have handed in."""
    root = folder / "class"
    shutil.copytree(made.root, root)
    for student, content in hand_ins.items():
        write(root / f"submitted/{student}/hw1/hw1.ipynb", content)
    return root


def test_a_course_is_set_up_once_and_what_the_instructor_wrote_stays(made):
    assert "written    source/hw1/hw1.ipynb" in made.said
    config = (made.root / "nbgrader_config.py").read_text(encoding="utf-8")
    assert config.startswith("# mine\n")
    assert "/gradebook.db*\n" in (made.root / ".gitignore").read_text(encoding="utf-8")
    write(made.root / ".gitignore", "# mine, too\n")
    notebook = made.root / "source/hw1/hw1.ipynb"
    again = call("autograder", COURSE.folder, "nbgrader", "init", str(made.root), "--assignment", "hw1").stdout
    assert "written" not in again
    assert (made.root / "nbgrader_config.py").read_text(encoding="utf-8") == config
    assert (made.root / ".gitignore").read_text(encoding="utf-8") == "# mine, too\n"
    before = notebook.read_text(encoding="utf-8")
    try:
        notebook.write_text(before.replace("perceptron", "Perceptron", 1), encoding="utf-8")
        stale = write(made.root / "source/hw1/assignments/hw1_perceptron/tests/test_old.py", "old = 1\n")
        tried = call(
            "autograder", COURSE.folder, "nbgrader", "init", str(made.root), "--assignment", "hw1", "--dry-run"
        )
        assert stale.exists()
        said = call("autograder", COURSE.folder, "nbgrader", "init", str(made.root), "--assignment", "hw1").stdout
        assert tried.stdout.splitlines()[:-1] == said.splitlines()[:-1]
        assert "kept       source/hw1/hw1.ipynb" in said
        assert not stale.exists()
    finally:
        notebook.write_text(before, encoding="utf-8")


def test_students_get_what_their_check_cells_need_and_nothing_hidden(made):
    released = made.root / "release/hw1"
    whole = "\n".join(path.read_text(encoding="utf-8") for path in released.rglob("*") if path.is_file())
    assert "BEGIN SOLUTION" not in (released / "hw1.ipynb").read_text(encoding="utf-8")
    for path in HW1.hidden.rglob("test_*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("def test_")]
        assert lines
        assert [line for line in lines if line in whole] == []
    checked = call("autograder", released, "check", "hw1", "hw1.ipynb", "--json", status=1)
    report = json.loads(checked.stdout)
    assert (report["score"], report["max_points"]) == (0, HW1.spec.points - HW1.spec.hidden_points)


def test_what_the_instructors_check_cells_remember_is_not_released(made, tmp_path):
    root = class_at(made, tmp_path, {})
    write(root / "source/hw1/.grade/attempts/hw1/1.json", "{}")
    call("nbgrader", root, "generate_assignment", "hw1", "--force")
    assert (root / "release/hw1/hw1.ipynb").exists()
    assert not (root / "release/hw1/.grade").exists()


def test_who_watches_is_told_in_their_language_and_sees_no_warnings_of_nbgraders_code(made, tmp_path):
    root = class_at(made, tmp_path, {"s1": SOURCE})
    config = root / "nbgrader_config.py"
    config.write_text(config.read_text(encoding="utf-8") + "c.GradeNotebook.language = 'zh'\n", encoding="utf-8")
    done = call("autograder", root, "nbgrader", "autograde", "hw1")
    assert re.fullmatch(r"\[1/1\] s1  hw1\.ipynb  100/100  passed  [\d.]+ s\n", done.stderr)
    assert "f 对正数返回 1" in (root / "autograded/s1/hw1/hw1.ipynb").read_text(encoding="utf-8")


@pytest.mark.ci
def test_both_commands_give_the_same_scores_and_no_notebook_stops_the_class(made, tmp_path):
    hand_ins = {name: content for name, (content, _) in HAND_INS.items()}
    theirs, mine = (class_at(made, tmp_path / who, hand_ins) for who in ("theirs", "mine"))
    for root in (theirs, mine):
        (root / "submitted/right/hw1/hw1.ipynb").rename(root / "submitted/right/hw1/hw1 (1).ipynb")
    said = call("nbgrader", theirs, "autograde", "hw1").stderr
    done = json.loads(call("autograder", mine, "nbgrader", "autograde", "hw1", "--json", status=1).stdout)
    assert grades(theirs) == grades(mine)
    scores = grades(mine)
    assert {name: scores[name] for name, (_, score) in HAND_INS.items() if score is not None} == {
        name: score for name, (_, score) in HAND_INS.items() if score is not None
    }
    assert 0 < scores["broken_off"] < scores["wrong"] < FULL
    touched = {line.partition(":")[0] for line in done["repaired"]}
    assert touched == set(HAND_INS) - {"wrong", "untouched", "to_stderr"}
    assert all(line in said for line in done["repaired"])
    assert {one["students"][0] for one in done["done"] if one["ended"] == "unreadable"} == {"empty", "no_notebook"}
    assert not list(mine.glob(".submitted*"))
    assert (mine / "submitted/nulls/hw1/hw1.ipynb").read_text(encoding="utf-8") == hand_ins["nulls"]
    again = json.loads(call("autograder", mine, "nbgrader", "autograde", "hw1", "--json").stdout)
    assert {one["ended"] for one in again["done"]} == {"known"}
    one = json.loads(
        call("autograder", mine, "nbgrader", "autograde", "hw1", "--json", "--force", "--student", "wrong").stdout
    )
    assert [found["score"] for found in one["done"]] == [scores["wrong"]]
    call("nbgrader", mine, "generate_feedback", "hw1")
    feedback = (mine / "feedback/copied_check/hw1/hw1.html").read_text(encoding="utf-8")
    assert "This notebook was repaired before it was graded" in feedback


def test_security_every_cheat_scores_nothing_and_changes_nothing_else(made, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        root = tmp_path / "class"
        places = {"root": root, "hidden": HW1.hidden, "port": server.getsockname()[1]}
        hand_ins = {name: cheating(code, places) for name, code in CHEATS.items()}
        assert class_at(made, tmp_path, {**hand_ins, "right": SOURCE}) == root
        before = {path: path.read_bytes() for path in (root / "source").rglob("*") if path.is_file()}
        config = (root / "nbgrader_config.py").read_bytes()
        call("autograder", root, "nbgrader", "autograde", "hw1", "--json")
        with pytest.raises(TimeoutError):
            server.accept()
    assert grades(root) == {**dict.fromkeys(CHEATS, 0), "right": FULL}
    assert {path: path.read_bytes() for path in (root / "source").rglob("*") if path.is_file()} == before
    assert (root / "nbgrader_config.py").read_bytes() == config
    with sqlite3.connect(root / "gradebook.db") as database:
        assert database.execute("select count(*) from grade where manual_score is not null").fetchone() == (0,)
    call("nbgrader", root, "generate_feedback", "hw1")
    feedback = (root / "feedback/reads_hidden/hw1/hw1.html").read_text(encoding="utf-8")
    hidden = "\n".join(path.read_text(encoding="utf-8") for path in HW1.hidden.rglob("test_*.py"))
    assert [line for line in map(str.strip, hidden.splitlines()) if len(line) > 40 and line in feedback] == []
