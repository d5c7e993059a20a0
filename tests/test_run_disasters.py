"""What a class run survives beside being killed: full disks, clocks that jump, greedy neighbours, a changed roster."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from autograder.box.backends import TRUSTED_ONLY
from autograder.box.probe import probe
from autograder.collect.store import NotWrittenError
from autograder.gradebook import open_gradebook
from autograder.ledger.database import Ledger
from autograder.ledger.models import Attempt, Event
from autograder.ledger.records import Circumstances, record, report_of
from autograder.limits import MB
from autograder.roster import Person
from autograder.run import planning, space
from autograder.run.grading import Tell
from autograder.run.options import options_for
from autograder.run.planning import Chosen
from autograder.run.space import recording
from tests.tiny_course import COURSE, ROOT, SOLUTION, grade, make_course, write, wrong_answer

SCORES = {"1": 40.0, "2": 10.0, "3": 27.5}


class Usage(NamedTuple):
    """What shutil tells of a disk."""

    total: int
    used: int
    free: int


def collected(folder, **sources):
    """Make a course whose students have handed in; more of them by their numbers, n7=…"""
    answers = {"1": SOLUTION, "2": wrong_answer("minus"), "3": wrong_answer("one_off")}
    answers |= {name[1:]: source for name, source in sources.items()}
    make_course(folder)
    for number, source in answers.items():
        write(folder / "in" / f"{number}.py", source)
    with open_gradebook(folder) as book:
        book.apply_roster([Person(number, f"Student {number}") for number in answers])
        book.collect("hw1", str(folder / "in"), None, lambda _: None)
    return folder


@pytest.fixture
def course(tmp_path):
    return collected(tmp_path)


def run(folder, tell=None, isolation="process", jobs=2):
    with open_gradebook(folder) as book:
        assignment = book.course.assignment("hw1")
        options, chosen = options_for(assignment, "cpu", isolation)
        with book.grading():
            works = book.plan(assignment, Chosen(), options, chosen)
            done = book.run(assignment, works, options, jobs, tell or Tell())
    return {one.work.students[0]: (one.ended, one.result and one.result.score) for one in done}


def counted(folder):
    with open_gradebook(folder) as book, book.ledger.reading() as session:
        return session.scalar(select(func.count()).select_from(Attempt))


# --- a full disk ------------------------------------------------------------------------------------------------------


class Filling(Tell):
    """Fills the disk once something was graded."""

    def __init__(self, monkeypatch):
        self._monkeypatch = monkeypatch

    def done(self, done):
        self._monkeypatch.setattr(space.shutil, "disk_usage", lambda _: Usage(100 * MB, 99 * MB, MB))


def test_where_the_disk_is_full_a_run_stops_and_goes_on_later(course, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(NotWrittenError) as raised:
        run(course, Filling(patched), jobs=1)
    assert str(course / "ledger") in raised.value.message
    assert "1.0 MB" in raised.value.message
    assert counted(course) == 1
    assert sorted(ended for ended, _ in run(course).values()) == ["graded", "graded", "known"]
    assert counted(course) == 3


def test_nothing_is_started_where_nothing_could_be_recorded(course, monkeypatch):
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: Usage(100 * MB, 99 * MB, MB))
    with pytest.raises(NotWrittenError):
        run(course)
    assert counted(course) == 0


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of a few MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder, but_mb):
    with (folder / "ballast").open("wb") as file:
        free = space.shutil.disk_usage(folder).free - int(but_mb * MB)
        for _ in range(free // 4096):
            file.write(bytes(4096))
    return folder / "ballast"


def record_often(ledger, make):
    for _ in range(20):
        with recording(ledger) as session:
            session.add(make())


def test_a_row_that_does_not_fit_is_an_error_and_what_was_there_stays(small_disk):
    with Ledger(small_disk / "ledger") as ledger:
        moment = datetime(2026, 11, 22, tzinfo=UTC)
        with recording(ledger) as session:
            session.add(Event(at=moment, who="teacher", kind="kept", about={}))
        ballast = fill(small_disk, 0.2)
        large = {"text": "x" * 100_000}
        with pytest.raises(NotWrittenError) as raised:
            record_often(ledger, lambda: Event(at=moment, who="teacher", kind="large", about=large))
        assert str(ledger.path) in raised.value.message
        ballast.unlink()
        with recording(ledger) as session:
            session.add(Event(at=moment, who="teacher", kind="kept", about={}))
        with ledger.reading() as session:
            kinds = list(session.scalars(select(Event.kind)))
    assert (kinds[0], kinds[-1]) == ("kept", "kept")


def test_the_command_says_which_disk_is_full(course, small_disk):
    shutil.move(course / "ledger", small_disk / "ledger")
    (course / "ledger").symlink_to(small_disk / "ledger")
    ballast = fill(small_disk, 4)
    arguments = ("run", "hw1", "--isolation", "process", "--device", "cpu")
    full = grade(*arguments, cwd=course)
    assert full.returncode == 2
    assert str(course / "ledger").encode() in full.stderr
    ballast.unlink()
    assert grade(*arguments, cwd=course).returncode == 0
    assert counted(course) == 3


# --- a clock that jumps -----------------------------------------------------------------------------------------------

# What notes a moment; no other file may look at the clock on the wall.
MOMENTS = {
    "history.py",
    "pack.py",
    "report/overview.py",
    "ledger/people.py",
    "judge/judge_zygote.py",
    "judge/attempt.py",
}
CLOCKS = {"time", "time_ns", "now", "utcnow", "today", "localtime", "gmtime"}


def looks_at_the_clock(path):
    calls = (node.func for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call))
    found = {node.attr for node in calls if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
             and node.value.id in {"time", "datetime", "date"}}  # fmt: skip
    return bool(found & CLOCKS)


def test_durations_are_never_told_by_the_clock_on_the_wall():
    package = ROOT / "autograder"
    looking = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if looks_at_the_clock(path)}
    run_time = {name for name in looking if name.startswith(("run/", "judge/", "box/", "score", "late_policy"))}
    assert run_time <= MOMENTS


def test_after_the_clock_was_set_back_the_newest_attempt_still_counts(course):
    run(course)
    with open_gradebook(course) as book:
        with book.ledger.writing() as session:
            old = session.scalars(select(Attempt).order_by(Attempt.score)).first()
            checks = [one.model_copy(update={"score": 1.0}) for one in report_of(old).checks]
            earlier = {"started_at": "2001-01-01T00:00:00+00:00", "checks": tuple(checks), "score": 4.0}
            circumstances = Circumstances(old.key, old.measured, old.assignment_sha256, old.host, old.limits)
            record(session, old.submission_id, report_of(old).model_copy(update=earlier), circumstances)
        finals = {one.student.id: one.final for one in book.grades()["hw1"]}
    assert finals == SCORES | {"2": 4.0}
    assert run(course)["2"] == ("known", 4.0)


# --- neighbours -------------------------------------------------------------------------------------------------------

TAKES_MEMORY = (
    "def add(a, b):\n    return len(bytearray(10 ** 12))\ndef slope(xs, ys, seed=0):\n    return [0] * 10 ** 12\n"
)
GROWS = """
def add(a, b):
    kept = []
    while True: kept.append(bytearray(1 << 20))
def slope(xs, ys, seed=0):
    return add(0, 0)
"""
# For as long as the honest ones need, and not until its own limit.
FORKS = """
import os, time
END, FIRST = time.monotonic() + 5, os.getpid()
def add(a, b):
    while time.monotonic() < END:
        try: os.fork()
        except OSError: pass
    if os.getpid() != FIRST: os._exit(0)
"""


@pytest.mark.skipif(probe().best in TRUSTED_ONLY, reason="no sealed boxes here: nothing keeps others from harm")
def test_security_neighbours_that_take_all_they_can_change_nobodys_grade(tmp_path):
    course = collected(tmp_path, n4=TAKES_MEMORY, n5=GROWS, n6=FORKS)
    # Small enough for a machine with little: the limit is what is tested, not the machine's end.
    write(course / "course.yml", COURSE.replace("call_s: 30", "call_s: 30, memory_mb: 600, attempt_s: 120"))
    done = run(course, isolation="auto", jobs=6)
    assert {number: done[number][1] for number in SCORES} == SCORES
    assert {number: done[number][0] for number in "456"} == dict.fromkeys("456", "graded")
    with open_gradebook(course) as book:
        statuses = {one.student.id: one.attempt.status for one in book.grades()["hw1"]}
    assert all(statuses[number] != "passed" for number in "456")
    assert statuses["5"] == "memory"


@pytest.mark.parametrize("broken", [RecursionError("too deep"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no")])
@pytest.mark.parametrize("read_before", [0, 1], ids=["planned", "run"])
def test_security_a_submission_that_breaks_our_reader_stops_nobody_elses(course, monkeypatch, broken, read_before):
    read, seen = planning.from_files, []

    def reads(*asked):
        submission = read(*asked)
        if "a - b" in submission.source:
            seen.append(submission)
            if len(seen) > read_before:
                raise broken
        return submission

    monkeypatch.setattr(planning, "from_files", reads)
    assert run(course) == {"1": ("graded", 40.0), "2": ("internal", None), "3": ("graded", 27.5)}
    monkeypatch.undo()
    assert run(course)["2"] == ("graded", 10.0)


# --- a roster that changes in the middle ------------------------------------------------------------------------------


class Editing(Tell):
    """Imports another roster once the first is graded: one has left, one is new, one has another name."""

    def __init__(self, folder):
        self._folder, self._once = folder, False

    def done(self, done):
        if not self._once:
            self._once = True
            write(self._folder / "roster.csv", "id,name\n1,Another Name\n2,Student 2\n9,Somebody New\n")
            done = grade("roster", "import", "roster.csv", "--yes", cwd=self._folder)
            assert done.returncode == 0, done.stderr


def test_a_roster_that_is_changed_in_the_middle_costs_nobody_a_grade(course):
    done = run(course, Editing(course), jobs=1)
    assert done == {number: ("graded", score) for number, score in SCORES.items()}
    with open_gradebook(course) as book:
        found = {one.student.id: (one.student.name, one.student.left, one.final) for one in book.grades()["hw1"]}
        assert book.problems() == []
    assert found == {
        "1": ("Another Name", False, 40.0),
        "2": ("Student 2", False, 10.0),
        "3": ("Student 3", True, 27.5),
        "9": ("Somebody New", False, None),
    }
    assert {ended for ended, _ in run(course).values()} == {"known"}


# --- two at once ------------------------------------------------------------------------------------------------------


class Asking(Tell):
    """Types the same command again while the first runs."""

    def __init__(self, folder):
        self._folder, self.codes = folder, []

    def done(self, done):
        self.codes.append(grade("run", "hw1", "--isolation", "process", "--device", "cpu", cwd=self._folder).returncode)


def test_a_second_run_in_the_middle_of_the_first_is_refused_and_nothing_is_graded_twice(course):
    tell = Asking(course)
    run(course, tell, jobs=1)
    assert tell.codes == [2, 2, 2]
    assert counted(course) == 3
