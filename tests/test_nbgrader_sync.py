"""Scores from the ledger to nbgrader's gradebook, and graders' decisions back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autograder.course import find_course
from autograder.errors import UsageError
from autograder.judge.check import check_submission
from autograder.judge.options import AttemptOptions
from autograder.notebook.generate import make_notebook, notebook_files
from tests.tiny_course import write

pytestmark = pytest.mark.nbgrader

COURSE = find_course(Path(__file__))
HW1 = COURSE.assignment("hw1")
SOURCE = make_notebook(HW1, notebook_files(HW1)[0], "solution")
WRONG = SOURCE.replace("!= label for", "== label for")  # errors counts what is right
CAME = datetime(2026, 12, 1, 12, tzinfo=UTC)
LATE = datetime(2026, 12, 12, 12, tzinfo=UTC)
CELL = "hw1-task-1-5-public"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("wrong") / "hw1.ipynb", WRONG)
    return check_submission("hw1", path, COURSE.folder, AttemptOptions(hidden=True))


@pytest.fixture
def book(tmp_path):
    from autograder.gradebook import open_gradebook

    rules = (COURSE.folder / "course.yml").read_text(encoding="utf-8")
    write(tmp_path / "course.yml", rules + "late: {per_day: 0.1}\n")
    shutil.copytree(COURSE.folder / "assignments/hw1_perceptron", tmp_path / "assignments/hw1_perceptron")
    with open_gradebook(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Return nbgrader's gradebook as `nbgrader generate_assignment` leaves it."""
    from nbgrader.api import Gradebook

    from autograder.nbgrader.gradebook import find_alembic

    find_alembic()
    path = tmp_path_factory.mktemp("generated") / "gradebook.db"
    with Gradebook(f"sqlite:///{path}", "dl101") as gradebook:
        gradebook.add_assignment("hw1")
        gradebook.add_notebook("hw1", "hw1")
        for cell in json.loads(SOURCE)["cells"]:
            marked = cell["metadata"].get("nbgrader")
            if marked and marked["grade"]:
                worth = {"max_score": marked["points"], "cell_type": "code"}
                gradebook.add_grade_cell(marked["grade_id"], "hw1", "hw1", **worth)
            elif marked:
                gradebook.add_solution_cell(marked["grade_id"], "hw1", "hw1")
    return path


@pytest.fixture
def nbgraders(tmp_path, generated):
    from nbgrader.api import Gradebook

    shutil.copy(generated, tmp_path / "gradebook.db")
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db", "dl101") as gradebook:
        yield gradebook


def handed_in(book, report, numbers, came=CAME):
    from autograder.ledger.models import Attempt, HandedInBy, Recognition, Student, SubmissionRow
    from autograder.ledger.records import check_row

    with book.ledger.writing() as session:
        for number in numbers:
            session.add(
                Student(id=number, name=f"Student {number}", email=f"{number}@x.edu", pseudonym=f"fox-{number}")
            )
        session.flush()
        for number in numbers:
            row = SubmissionRow(
                assignment="hw1",
                sha256=f"{number:0>64}",
                name="hw1.ipynb",
                origin=number,
                received=came,
                collected=came,
            )
            row.recognitions = [Recognition(how="id", who="c", at=came, students=[HandedInBy(student_id=number)])]
            row.attempts = [
                Attempt(
                    key="k", measured="m", checks_sha256="c", assignment_sha256="a", status=report.status.value,
                    score=report.score, max_points=report.max_points, isolation="process", device="cpu", host="h",
                    started=came, limits={}, report={"duration_s": 1.0},
                    checks=[check_row(at, check) for at, check in enumerate(report.checks)],
                )
            ]  # fmt: skip
            session.add(row)


def grade_of(gradebook, student, cell=CELL):
    gradebook.db.commit()
    gradebook.db.expire_all()
    return gradebook.find_grade(cell, "hw1", "hw1", student)


def in_force(book):
    return {one.student.id: (one.score, one.final) for one in book.grades()["hw1"]}


def test_pushed_scores_stand_in_nbgrader_and_a_second_push_does_nothing(book, nbgraders, report):
    from autograder.nbgrader.sync import Pushed, push

    handed_in(book, report, ["1", "2"])
    assert push(book, nbgraders, HW1) == (2, 2, 9 * 2, 0, ())
    submission = nbgraders.find_submission("hw1", "1")
    assert (submission.score, submission.max_score) == (report.score, report.max_points)
    assert submission.timestamp == CAME.replace(tzinfo=None)
    assert not submission.needs_manual_grade
    assert (submission.student.last_name, submission.student.email) == ("Student 1", "1@x.edu")
    assert len(submission.notebooks[0].comments) == len(nbgraders.find_notebook("hw1", "hw1").solution_cells)
    assert push(book, nbgraders, HW1) == Pushed(0, 0, 0, 0, ())


def test_formgrader_goes_on_to_take_for_graded_what_nbgrader_has_collected_itself(book, nbgraders, report, tmp_path):
    """It does where the gradebook's time is that of the hand-in, which has none in this case."""
    from autograder.nbgrader.gradebook import collected_of
    from autograder.nbgrader.sync import push

    handed_in(book, report, ["1", "2"])
    push(book, nbgraders, HW1)
    for student in ("1", "2"):
        nbgraders.find_submission("hw1", student).timestamp = None
    nbgraders.db.commit()
    write(tmp_path / "nbgrader_config.py", "c = get_config()\nc.CourseDirectory.course_id = 'dl101'\n")
    write(tmp_path / "submitted/1/hw1/hw1.ipynb", SOURCE)
    write(tmp_path / "submitted/2/hw2/hw2.ipynb", SOURCE)
    push(book, nbgraders, HW1, collected_of(tmp_path, "hw1"))
    nbgraders.db.expire_all()
    times = {student: nbgraders.find_submission("hw1", student).timestamp for student in ("1", "2")}
    assert times == {"1": None, "2": CAME.replace(tzinfo=None)}


def test_a_manual_score_stays_and_wins_and_comes_back_as_a_decision_once(book, nbgraders, report):
    from autograder.nbgrader.sync import pull, push

    handed_in(book, report, ["1", "2"])
    push(book, nbgraders, HW1)
    assert pull(book, nbgraders, HW1) == (0, 0, (), ())
    before = report.score
    given = grade_of(nbgraders, "1")
    given.manual_score, given.needs_manual_grade = 6.0, False
    extra = grade_of(nbgraders, "2", "hw1-task-1-1-public")
    extra.extra_credit = 1.5
    nbgraders.db.commit()
    assert pull(book, nbgraders, HW1) == (2, 0, (), ())
    assert in_force(book) == {"1": (before + 6, before + 6), "2": (before + 1.5, before + 1.5)}
    assert pull(book, nbgraders, HW1) == (0, 0, (), ())
    assert {(one.who, bool(one.why)) for grade in book.grades()["hw1"] for one in grade.decisions} == {
        ("nbgrader", True)
    }
    assert push(book, nbgraders, HW1).scores == 0
    after = grade_of(nbgraders, "1")
    assert (after.auto_score, after.manual_score, after.needs_manual_grade) == (0, 6, False)
    after.manual_score = None
    nbgraders.db.commit()
    assert pull(book, nbgraders, HW1).taken_back == 1
    assert in_force(book)["1"] == (before, before)


def test_a_new_score_under_a_manual_one_asks_for_another_look(book, nbgraders, report):
    from autograder.nbgrader.sync import push

    handed_in(book, report, ["1"])
    push(book, nbgraders, HW1)
    given = grade_of(nbgraders, "1")
    given.manual_score, given.auto_score, given.needs_manual_grade = 6.0, 3.0, False
    nbgraders.db.commit()
    assert push(book, nbgraders, HW1).scores == 1
    after = grade_of(nbgraders, "1")
    assert (after.auto_score, after.manual_score, after.needs_manual_grade) == (0, 6, True)


def test_lateness_costs_once(book, nbgraders, report):
    from autograder.nbgrader.sync import push

    handed_in(book, report, ["1"], came=LATE)
    (score, final) = in_force(book)["1"]
    assert final < score
    push(book, nbgraders, HW1)
    push(book, nbgraders, HW1)
    notebook = nbgraders.find_submission_notebook("hw1", "hw1", "1")
    assert notebook.score - notebook.late_submission_penalty == pytest.approx(final)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader's own add_submission
def test_a_student_whom_nbgrader_knows_by_another_name_is_the_same_one(book, nbgraders, report):
    from autograder.ledger.models import Alias
    from autograder.nbgrader.sync import pull, push

    handed_in(book, report, ["1"])
    with book.ledger.writing() as session:
        session.add(Alias(source="hub", alias="zhang", student_id="1"))
    nbgraders.add_student("zhang")
    assert push(book, nbgraders, HW1)[:2] == (0, 1)
    given = grade_of(nbgraders, "zhang")
    given.manual_score = 9.0
    nbgraders.add_student("stranger")
    nbgraders.add_submission("hw1", "stranger")
    strangers = grade_of(nbgraders, "stranger")
    strangers.manual_score = 1.0
    nbgraders.db.commit()
    assert pull(book, nbgraders, HW1) == (1, 0, ("stranger",), ())


def test_nbgrader_has_to_know_the_assignment(book, nbgraders, report):
    from autograder.nbgrader.sync import push

    with pytest.raises(UsageError, match="hw2"):
        push(book, nbgraders, COURSE.assignment("hw2"))


def test_a_locked_gradebook_is_waited_for_and_then_told_of(tmp_path, nbgraders, monkeypatch):
    from autograder.nbgrader import gradebook

    monkeypatch.setattr(gradebook, "_WAIT_S", 0.2)
    write(tmp_path / "nbgrader_config.py", "c = get_config()\nc.CourseDirectory.course_id = 'dl101'\n")
    with sqlite3.connect(tmp_path / "gradebook.db") as other:
        other.execute("begin exclusive")
        with pytest.raises(UsageError, match="locked"), gradebook.gradebook_of(tmp_path) as opened:
            opened.add_student("1")


def test_a_class_of_a_thousand_is_a_few_queries(book, nbgraders, report):
    from sqlalchemy import event

    from autograder.nbgrader.sync import pull, push

    numbers = [f"{number:05}" for number in range(1000)]
    handed_in(book, report, numbers, came=CAME + timedelta(0))
    asked = []
    event.listen(nbgraders.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert push(book, nbgraders, HW1).scores == 9 * len(numbers)
    assert pull(book, nbgraders, HW1) == (0, 0, (), ())
    assert len(asked) < 100
