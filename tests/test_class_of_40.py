"""A class of forty through roster → collect → run → status → export, as somebody types it; every number is a literal.

The class and what it hands in stand in class_of_40.py. Each fixture is a stage of the course, and keeps what the
commands said then; the tests look at that.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from autograder import cli
from autograder.gradebook import Gradebook, open_gradebook
from autograder.ledger.database import Ledger
from autograder.ledger.models import Attempt, Recognition, SubmissionRow
from autograder.messages import set_language
from tests import class_of_40 as made
from tests.box.conftest import sealed_only
from tests.tiny_course import ASSIGNMENT, write
from tests.tiny_course import grade as type_alone

pytestmark = sealed_only  # a fork bomb is among the hand-ins

ROWS = made.rows()
IN_CLASS = [number for number in ROWS if number != made.LEAVES]


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str

    @property
    def document(self):
        return json.loads(self.out)


class Course:
    """The course's folder, and a hand that types commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        made.make_course(folder)

    def type(self, *arguments: str) -> Said:
        """Type a command: in this process, which is quicker."""
        out = io.StringIO()
        set_language("en")
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = cli._run(list(arguments))
        return Said(code, out.getvalue())

    def run(self, *arguments: str) -> Said:
        """Type `grade run …`, in a process of its own: it starts others."""
        options = ("--device", "cpu", "--isolation", "namespaces", "--json")
        came = type_alone("run", *arguments, *options, cwd=self.folder, timeout_s=280)
        assert b"Traceback" not in came.stderr, came.stderr.decode()
        return Said(came.returncode, came.stdout.decode())

    def collect(self, *arguments: str) -> dict[str, dict]:
        """Collect, and return what became of each thing by its name."""
        said = self.type("collect", *arguments, "--json")
        assert said.code == 0, said.out
        return {one["name"]: one for one in said.document}

    def status(self) -> dict[str, dict]:
        standing = self.type("status", "--json").document
        return {one["assignment"]: one | {"refused": [each["name"] for each in one["refused"]]} for one in standing}

    def export(self, assignment: str = "hw1") -> dict[str, dict[str, str]]:
        """Export as CSV, and return its rows by the student."""
        assert self.type("export", assignment).code == 0
        said = (self.folder / f"{assignment}_grades.csv").read_bytes().decode("utf-8-sig")
        return {row["id"]: row for row in csv.DictReader(io.StringIO(said))}

    @contextlib.contextmanager
    def book(self):
        with open_gradebook(self.folder) as book:
            yield book

    def count(self, table) -> int:
        with self.book() as book, book.ledger.reading() as session:
            return session.scalar(select(func.count()).select_from(table))


# --- the stages -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    before = os.environ.get("GRADE_WHO")
    os.environ["GRADE_WHO"] = "teacher"
    yield Course(tmp_path_factory.mktemp("class"))
    if before is None:
        del os.environ["GRADE_WHO"]
    else:
        os.environ["GRADE_WHO"] = before


class Rostered(NamedTuple):
    first: list[dict]
    canvas: list[dict]


@pytest.fixture(scope="module")
def rostered(course):
    (course.folder / "roster.csv").write_bytes(made.roster(later=False))
    write(course.folder / "canvas.csv", made.canvas_roster())
    first = course.type("roster", "import", "roster.csv", "--dry-run", "--json").document
    assert course.type("roster", "import", "roster.csv", "--yes").code == 0
    canvas = course.type("roster", "import", "canvas.csv", "--add-only", "--dry-run", "--json").document
    assert course.type("roster", "import", "canvas.csv", "--add-only", "--yes").code == 0
    return Rostered(first, canvas)


class Taken(NamedTuple):
    canvas: dict[str, dict]
    rounds: list[dict[str, dict]]
    status: dict


@pytest.fixture(scope="module")
def collected(course, rostered):
    (course.folder / "canvas.zip").write_bytes(made.canvas_zip())
    canvas = course.collect("hw1", "canvas.zip")
    rounds = []
    for handed in made.downloads():
        made.write_all(course.folder / "downloads", handed)
        rounds.append(course.collect("hw1", "downloads"))
    return Taken(canvas, rounds, course.status()["hw1"])


class Assigned(NamedTuple):
    roster: list[dict]
    again: dict[str, dict]
    status: dict


@pytest.fixture(scope="module")
def assigned(course, collected):
    """What nobody was recognised for is given to somebody by hand, and the second roster is imported."""
    numbers = {name: one["number"] for name, one in collected.rounds[0].items()}
    for name, whose in {
        "王伟.py": ("2026013",),
        "perceptron.py": ("魏征",),
        "2025999_转学.py": ("--nobody",),
        "note from the tutor.txt": ("--nobody",),
        "2026039_姜子牙_hw2.zip": ("--nobody",),
    }.items():
        said = course.type("assign", str(numbers[name]), *whose)
        assert said.code == 0, said.out
    (course.folder / "roster.csv").write_bytes(made.roster(later=True))
    roster = course.type("roster", "import", "roster.csv", "--dry-run", "--json").document
    assert course.type("roster", "import", "roster.csv", "--yes").code == 0
    return Assigned(roster, course.collect("hw1", "downloads"), course.status()["hw1"])


class Ran(NamedTuple):
    said: Said
    attempts: int
    again: Said
    attempts_again: int
    status: dict
    rows: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def graded(course, assigned):
    said, attempts = course.run("hw1"), course.count(Attempt)
    again, attempts_again = course.run("hw1"), course.count(Attempt)
    return Ran(said, attempts, again, attempts_again, course.status()["hw1"], course.export())


class Decided(NamedTuple):
    outs: dict[str, str]
    status: dict
    rows: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def decided(course, graded):
    """A point given back, an oral exam, more time afterwards, a wrong time, a request and its answer."""
    with course.book() as book:
        number = numbered(book, "2026019")
    commands = {
        "override": ("override", "hw1", "2026003", "--check", "test_learns_and", "--points", "8", "--why", "said so"),
        "oral": ("override", "hw1", "姜子牙", "--points", "55", "--why", "oral exam"),
        "extend": ("extend", "2026023", "--assignment", "hw1", "--until", "2026-10-26T23:59", "--why", "ill"),
        "received": ("received", str(number), "2026-10-24T22:00", "--why", "a mail is the proof"),
        "ask": ("request", "add", "hw1", "2026034", "--check", "test_xor_table", "--text", "the output was a joke"),
        "ask too": ("request", "add", "hw1", "谢安", "--text", "请再看一下"),
        "answer": ("request", "answer", "1", "--text", "half of it was right", "--points", "7"),
    }  # fmt: skip
    outs = {}
    for name, command in commands.items():
        said = course.type(*command)
        assert said.code == 0, said.out
        outs[name] = said.out
    return Decided(outs, course.status()["hw1"], course.export())


def numbered(book: Gradebook, student: str) -> int:
    """Return the number of the submission that counts."""
    (grade,) = [one for one in book.grades()["hw1"] if one.student.id == student]
    return grade.submission.id


# --- roster -----------------------------------------------------------------------------------------------------------


def test_the_first_roster_is_new_and_canvas_adds_its_numbers(rostered):
    assert [(one["kind"], one["id"]) for one in rostered.first] == [
        ("added", number) for number in ROWS if number != made.JOINS_LATER
    ]
    by_id = {one["id"]: one["after"] for one in rostered.first}
    assert (by_id["2026022"], by_id["2026001"]) == ("B · hw1: 2 days more", "A · hw2: 红队")
    assert [(one["kind"], one["id"], one["after"]) for one in rostered.canvas] == [
        ("alias", "2026010", "canvas: 340934"),
        ("alias", "2026011", "canvas: 340935"),
        ("alias", "2026017", "canvas: 340936"),
    ]


def test_the_second_roster_has_one_more_and_one_less(assigned):
    assert [(one["kind"], one["id"]) for one in assigned.roster] == [("added", "2026040"), ("left", "2026099")]


# --- collect ----------------------------------------------------------------------------------------------------------


def test_whose_each_hand_in_is_and_how_it_was_told(collected, assigned):
    told = {}
    for taken in (collected.canvas, *collected.rounds, assigned.again):
        for one in taken.values():
            if one["outcome"] in {"new", "again"}:
                told.setdefault(one["students"][0], one["how"])
    assert told == {row.id: row.told_by for row in ROWS.values() if row.told_by}


def test_what_waits_for_a_human_and_what_is_refused(collected):
    first = collected.rounds[0]
    by_outcome = {
        outcome: {name: one["candidates"] for name, one in first.items() if one["outcome"] == outcome}
        for outcome in ("unmatched", "doubtful", "refused")
    }
    assert by_outcome == {
        "unmatched": {
            "2025999_转学.py": [], "2026040_谢安.py": [], "note from the tutor.txt": [], "perceptron.py": [],
        },
        "doubtful": {"王伟.py": ["2026013", "2026014"], "2026039_姜子牙_hw2.zip": ["2026039"]},
        "refused": {"2026038.rar": []},
    }  # fmt: skip
    assert first["2026039_姜子牙_hw2.zip"]["problem"] == "it was packed for hw2, by 2026039"


def test_how_many_came_each_time(collected, assigned):
    def counted(taken):
        outcomes = [one["outcome"] for one in taken.values()]
        return {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(sorted(outcomes))}

    assert counted(collected.canvas) == {"new": 3}
    assert [counted(taken) for taken in collected.rounds] == [
        {"doubtful": 2, "new": 33, "refused": 1, "unmatched": 4},
        {"again": 3, "known": 36, "refused": 1},
        {"again": 1, "known": 38, "refused": 1},
    ]
    # Who joined since is recognised now, by what had waited.
    assert counted(assigned.again) == {"known": 38, "new": 1, "refused": 1}
    assert assigned.again["2026040_谢安.py"]["students"] == ["2026040"]


def test_how_late_each_is_by_the_clock_of_the_course(collected):
    late = {}
    for taken in (collected.canvas, *collected.rounds):
        for one in taken.values():
            if one["days_late"] and one["outcome"] != "known":
                late[one["students"][0]] = one["days_late"]
    expected = {row.id: int(row.days_late) for row in ROWS.values() if row.days_late}
    assert late == expected
    assert len(late) == 7


def test_the_same_bytes_are_two_submissions_and_kept_once(course, assigned):
    with course.book() as book, book.ledger.reading() as session:
        rows = session.scalars(select(SubmissionRow).where(SubmissionRow.name.in_(["2026015.py", "2026016.py"]))).all()
        total = session.scalar(select(func.count()).select_from(SubmissionRow))
        hashes = session.scalar(select(func.count(SubmissionRow.sha256.distinct())))
        kept = list((book.ledger.folder / "store").rglob("*.zip"))
    assert [len(rows), total] == [2, 46]
    assert len(kept) == hashes


# --- status and run ---------------------------------------------------------------------------------------------------

NOTHING = {
    "assignment": "hw1", "due": "2026-10-24 23:59", "students": 40, "handed_in": 36, "late": 7, "graded": 0,
    "unreadable": 0, "too_late": 1, "faults": 0, "unclaimed": 6, "requests": 0, "median": 0.0, "max_points": 100.0,
    "full": 0, "by_hand": 0, "refused": ["2026038.rar"],
}  # fmt: skip


def test_the_course_at_a_glance_before_and_after(collected, assigned, graded):
    assert collected.status == NOTHING
    # One has left, one has joined, two are somebody's by now.
    assert assigned.status == NOTHING | {"handed_in": 38, "unclaimed": 0}
    assert graded.status == assigned.status | {"graded": 34, "unreadable": 3, "median": 78.5, "full": 8}


def test_what_each_attempt_came_to(graded):
    done = {one["students"][0]: one for one in graded.said.document["done"]}
    # Nothing came of two; one has left, and one came too late.
    handed_in = [row for row in ROWS.values() if row.status not in {"missing", "too late"}]
    assert done.keys() == {row.id for row in handed_in}
    came = {number: (one["ended"], one["status"], one["score"]) for number, one in done.items()}
    assert came == {
        row.id: ("unreadable", None, None) if row.status == "unreadable" else ("graded", row.status, row.score)
        for row in handed_in
    }
    assert graded.said.code == 1  # some can't be graded
    assert graded.attempts == 35


def test_what_cannot_be_graded_says_why(graded):
    said = {number: row["problem"].split(".")[0] for number, row in graded.rows.items() if row["problem"]}
    assert said == {
        "2026029": "2026029",
        "2026030": "2026030",
        "2026032": "Several files could be meant: part_a",
    }


def test_what_is_known_is_not_run_again(graded):
    assert {one["ended"] for one in graded.again.document["done"]} == {"known", "unreadable"}
    assert graded.attempts_again == graded.attempts


# --- export -----------------------------------------------------------------------------------------------------------


def numbers(row):
    return [float(row[name]) if row[name] else None for name in ("score", "days_late", "late_penalty", "final")]


def test_every_number_of_the_export(graded):
    came = {number: (row["name"], row["section"], row["status"], *numbers(row)) for number, row in graded.rows.items()}
    assert came == {
        number: (row.name, row.section, row.status, row.score, row.days_late, row.penalty, row.final)
        for number, row in ROWS.items()
        if number != made.LEAVES
    }
    assert list(came) == IN_CLASS


TASKS = {
    "2026001": [5, 10, 37, 8, 18, 22],
    "2026003": [5, 10, 37, 0, 18, 22],
    "2026012": [5, 10, 16, 0, 18, 4],
    "2026033": [5, 10, 37, 0, 18, 22],  # the fork bomb is in one function, and costs that one
    "2026029": [0, 0, 0, 0, 0, 0],
    "2026021": [None] * 6,
    "2026038": [None] * 6,
}


@pytest.mark.parametrize("number", TASKS)
def test_the_points_of_each_task(graded, number):
    tasks = [graded.rows[number][f"task 1.{task}"] for task in range(1, 7)]
    assert [float(said) if said else None for said in tasks] == TASKS[number]


# --- what people decide -----------------------------------------------------------------------------------------------

CHANGED = {
    "2026003": ("failed", 100.0, 0.0, 0.0, 100.0),
    "2026019": ("failed", 82.0, 0.0, 0.0, 82.0),  # in time after all
    "2026023": ("failed", 57.0, 0.0, 0.0, 57.0),  # has until then
    "2026034": ("failed", 89.0, 0.0, 0.0, 89.0),
    "2026039": ("missing", None, None, None, 55.0),
}


def test_decisions_change_what_they_are_about_and_nothing_else(graded, decided):
    def told(row):
        return row["status"], *numbers(row)

    changed = {number: told(row) for number, row in decided.rows.items() if row != graded.rows[number]}
    assert changed == CHANGED
    by_hand = {number: row["by_hand"] for number, row in decided.rows.items() if row["by_hand"]}
    assert by_hand == {
        "2026003": "said so",
        "2026034": "half of it was right",
        "2026039": "oral exam",
    }
    assert decided.status == graded.status | {"late": 5, "full": 9, "by_hand": 3, "requests": 1, "median": 79.0}


def test_what_the_commands_about_decisions_say(decided):
    assert decided.outs == {
        "override": "2026003: test_perceptron::test_learns_and has 8 points from now on.\n",
        "oral": "2026039: the whole assignment has 55 points from now on.\n",
        "extend": "2026023 may hand in hw1 until 2026-10-26 23:59 CET.\n",
        "received": "#14 2026019.py came at 2026-10-24 22:00 CEST, and not at 2026-10-26 23:59 CET.\n",
        "ask": "Request 1. To answer it: grade request answer 1 --text …\n",
        "ask too": "Request 2. To answer it: grade request answer 2 --text …\n",
        "answer": (
            "Request 1 of 2026034 is answered.\n2026034: test_perceptron::test_xor_table has 7 points from now on.\n"
        ),
    }


def test_the_ledger_is_whole_and_a_backup_says_the_same(course, decided):
    assert course.type("ledger", "check") == (0, "The ledger is whole.\n")
    backup = course.folder / "backup"
    backup.mkdir()
    assert course.type("ledger", "backup", "backup/ledger.sqlite").code == 0
    with course.book() as book, Ledger(backup) as copied:
        there = Gradebook(book.course, copied)
        assert [one.final for one in there.grades()["hw1"]] == [one.final for one in book.grades()["hw1"]]


def test_one_students_history(course, decided):
    log = course.type("ledger", "log", "2026034", "--json").document
    assert [(one["kind"], one["who"]) for one in log if one["kind"] != "attempt"] == [
        ("submission", ""),
        ("recognition", "teacher"),
        ("regrade", "teacher"),
        ("override", "teacher"),
        ("regrade", "teacher"),
    ]
    assert log[-1]["said"] == "answer about test_perceptron::test_xor_table: half of it was right"


# --- another policy ---------------------------------------------------------------------------------------------------


def test_where_the_best_counts_only_what_was_not_graded_yet_is_run(course, decided):
    write(course.folder / "course.yml", made.COURSE.replace("per_day: 0.1", "per_day: 0.1, counts: best"))
    try:
        done = course.run("hw1").document["done"]
        ended = {(one["students"][0], one["ended"], one["score"]) for one in done if one["ended"] == "graded"}
        # The earlier ones of those who handed in several times.
        assert ended == {("2026024", "graded", 100.0), ("2026025", "graded", 46.0), ("2026026", "graded", 46.0),
                         ("2026026", "graded", 100.0)}  # fmt: skip
        rows = course.export()
        assert {number: numbers(row)[-1] for number, row in rows.items() if row != decided.rows[number]} == {
            "2026024": 100.0  # 2026025: 100 less a tenth is still the best
        }
    finally:
        write(course.folder / "course.yml", made.COURSE)
    assert course.export() == decided.rows


# --- hw2: groups, and a threshold that changes ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sums(course, assigned):
    made.write_all(course.folder / "hw2", made.SUMS_HANDED)
    collected = course.collect("hw2", "hw2")
    assert course.run("hw2").code == 0
    return collected


def finals(course):
    return {number: numbers(row) for number, row in course.export("hw2").items() if row["status"] != "missing"}


def test_what_one_of_a_group_hands_in_counts_for_all_of_it(course, sums):
    assert {name: one["students"] for name, one in sums.items()} == {
        "2026001": ["2026001", "2026002"],
        "2026003.py": ["2026003", "2026004"],
        "2026005.py": ["2026005"],
    }
    assert finals(course) == {
        "2026001": [40.0, 0.0, 0.0, 40.0],
        "2026002": [40.0, 0.0, 0.0, 40.0],
        "2026003": [27.5, 1.0, 2.75, 24.75],
        "2026004": [27.5, 1.0, 2.75, 24.75],
        "2026005": [10.0, 0.0, 0.0, 10.0],
    }


def test_each_of_a_group_has_extensions_of_his_own(course, sums):
    assert course.type("extend", "2026004", "--assignment", "hw2", "--days", "1", "--why", "ill").code == 0
    came = finals(course)
    assert (came["2026003"], came["2026004"]) == ([27.5, 1.0, 2.75, 24.75], [27.5, 0.0, 0.0, 27.5])


def test_a_group_that_changes_leaves_what_was_recorded_as_it_was(course, sums):
    recorded = course.count(Recognition)
    before = finals(course)
    said = course.type("group", "hw2", "--name", "黄队", "2026002", "2026005")
    assert said.out.splitlines()[0] == "Group 黄队: 2026002 2026005"
    assert "grade assign" in said.out  # of what both had handed in before
    assert course.type("group", "hw2", "--json").document == {
        "红队": ["2026001"], "蓝队": ["2026003", "2026004"], "黄队": ["2026002", "2026005"],
    }  # fmt: skip
    assert (finals(course), course.count(Recognition)) == (before, recorded)


def test_after_a_changed_threshold_no_students_code_is_run(course, sums):
    settings = course.folder / "assignments" / "hw2_sums" / "assignment.yml"
    as_it_was = settings.read_text(encoding="utf-8")
    write(settings, ASSIGNMENT.replace("id: hw1", "id: hw2").replace("zero: 2.5", "zero: 1.5"))
    try:
        done = course.run("hw2").document["done"]
        assert {one["students"][0]: (one["ended"], one["score"]) for one in done} == {
            "2026001": ("scored", 40.0),
            "2026003": ("scored", 25.0),  # an error of 1 is worth half the points, where it was three quarters
            "2026005": ("scored", 10.0),
        }
    finally:
        write(settings, as_it_was)
    assert {one["ended"] for one in course.run("hw2").document["done"]} == {"scored"}
