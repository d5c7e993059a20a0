from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from autograder import cli
from autograder.decisions import override
from autograder.gradebook import Gradebook, open_gradebook
from autograder.judge import judges
from autograder.judge.judges import JudgeDied, Refused
from autograder.ledger.models import Attempt, SubmissionRow
from autograder.ledger.records import report_of
from autograder.ledger.requests import About
from autograder.messages import speaking
from autograder.results import Status
from autograder.roster import Person
from autograder.run import room
from autograder.run.grading import Tell
from autograder.run.options import options_for
from autograder.run.planning import Chosen
from tests.tiny_course import ASSIGNMENT, ROOT, SOLUTION, make_course, write, wrong_answer

SCORES = {"1": 40.0, "2": 10.0, "3": 27.5}  # the solution; a sum that is none; a line that is one off


def collected(folder):
    """Make a course of four students: three have handed in, the fourth an essay."""
    make_course(folder)
    handed_in = {"1.py": SOLUTION, "2.py": wrong_answer("minus"), "3.py": wrong_answer("one_off"), "4.md": "An essay."}
    for name, content in handed_in.items():
        write(folder / "in" / name, content)
    with open_gradebook(folder) as book:
        book.apply_roster([Person(number, f"Student {number}") for number in ("1", "2", "3", "4")])
        book.collect("hw1", str(folder / "in"), None, lambda _: None)
    return folder


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course whose students have handed in."""
    monkeypatch.chdir(tmp_path)
    return collected(tmp_path)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """Such a course, graded once."""
    folder = collected(tmp_path_factory.mktemp("graded"))
    run(folder)
    return folder


@pytest.fixture
def graded(first_run, tmp_path, monkeypatch):
    """A copy of the course that was graded once."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(first_run, tmp_path, dirs_exist_ok=True)


def run(folder, *, jobs=2, **chosen):
    """Run, and return what became of each submission by its student."""
    with open_gradebook(folder) as book:
        assignment = book.course.assignment("hw1")
        options, isolation = options_for(assignment, "cpu", "process")
        with book.grading():
            works = book.plan(assignment, Chosen(**chosen), options, isolation)
            done = book.run(assignment, works, options, jobs, Tell())
    return {one.work.students[0]: (one.ended, one.result and one.result.score) for one in done}


def counted(folder):
    with open_gradebook(folder) as book, book.ledger.reading() as session:
        return session.scalar(select(func.count()).select_from(Attempt))


def finals(folder):
    with open_gradebook(folder) as book:
        return {grade.student.id: grade.final for grade in book.grades()["hw1"]}


def test_a_class_is_graded_once(course):
    graded = {number: ("graded", score) for number, score in SCORES.items()}
    assert run(course) == graded | {"4": ("unreadable", None)}
    assert finals(course) == SCORES | {"4": 0.0}
    assert run(course) == {number: ("known", score) for number, score in SCORES.items()} | {"4": ("unreadable", None)}
    assert counted(course) == 3


def no_judges(*_, **__):
    raise AssertionError("nothing is to be run")


def test_after_a_changed_threshold_points_are_worked_out_anew_and_nothing_is_run(graded, monkeypatch):
    write(graded / "assignments/hw1_sums/assignment.yml", ASSIGNMENT.replace("zero: 2.5", "zero: 1.5"))
    monkeypatch.setattr(judges, "open_judges", no_judges)
    assert run(graded) == {
        "1": ("scored", 40.0),
        "2": ("scored", 10.0),
        "3": ("scored", 25.0),  # an error of 1 is worth half the points, where it was worth three quarters
        "4": ("unreadable", None),
    }
    assert counted(graded) == 6
    # Back again: what was known before the change counts once more.
    write(graded / "assignments/hw1_sums/assignment.yml", ASSIGNMENT)
    assert run(graded)["3"] == ("scored", 27.5)
    assert finals(graded)["3"] == 27.5
    assert run(graded)["3"] == ("known", 27.5)


def test_what_was_scored_anew_is_what_a_run_would_have_come_to(graded):
    write(graded / "assignments/hw1_sums/assignment.yml", ASSIGNMENT.replace("zero: 2.5", "zero: 1.5"))
    anew = {number: score for number, (_, score) in run(graded).items()}
    with open_gradebook(graded) as book:
        book.ledger.close()
    (graded / "ledger" / "ledger.sqlite").unlink()
    with open_gradebook(graded) as book:
        book.apply_roster([Person(number, f"Student {number}") for number in ("1", "2", "3", "4")])
        book.collect("hw1", str(graded / "in"), None, lambda _: None)
    assert {number: score for number, (_, score) in run(graded).items()} == anew


def told(folder):
    """Return the newest attempts' reports, but for what no two runs share."""
    with open_gradebook(folder) as book, book.ledger.reading() as session:
        newest = {one.submission_id: one for one in session.scalars(select(Attempt).order_by(Attempt.id))}
        return [_told(report_of(newest[number])) for number in sorted(newest)]


def _told(report):
    checks = tuple(one.model_copy(update={"duration_s": 0}) for one in report.checks)
    same = {"started_at": "", "duration_s": 0, "checks_sha256": "", "checks": checks}
    return report.model_copy(update=same).model_dump_json()  # as text: NaN is not equal to itself


def test_what_was_scored_anew_is_told_as_a_run_would_have_told_it(course):
    diverged = SOLUTION.replace("return sum(", "return float('nan') if seed else sum(")
    write(course / "in" / "1.py", diverged)
    os.utime(course / "in" / "1.py", (4e9, 4e9))
    with open_gradebook(course) as book:
        book.collect("hw1", str(course / "in"), None, lambda _: None)
    run(course)
    write(course / "assignments/hw1_sums/assignment.yml", ASSIGNMENT.replace("zero: 2.5", "zero: 0.9"))
    assert {ended for ended, _ in run(course).values()} == {"scored", "unreadable"}
    scored = told(course)
    assert {ended for ended, _ in run(course, again=True).values()} == {"graded", "unreadable"}
    assert told(course) == scored
    with open_gradebook(course) as book:
        assert book.problems() == []


@pytest.mark.parametrize("zero", ["zero: 1.5", "zero: 0.9"])  # an error of 1: still worth something, and nothing
def test_what_a_new_threshold_lets_run_is_run(course, zero):
    (file,) = (course / "assignments/hw1_sums/hidden").glob("test_*.py")
    write(file, file.read_text().replace('points(10, task="2")', 'points(10, task="2", needs=["test_slope"])'))
    run(course)
    write(course / "assignments/hw1_sums/assignment.yml", ASSIGNMENT.replace("zero: 2.5", zero))
    found = run(course)
    assert found["1"] == ("scored", 40.0)
    assert found["3"][0] == ("scored" if zero == "zero: 1.5" else "graded")


def test_what_is_known_is_run_again_where_that_is_asked_for(graded):
    assert run(graded, students=("2",), again=True) == {"2": ("graded", 10.0)}
    assert counted(graded) == 4


@pytest.mark.parametrize("file", ["tests/table.csv", "hidden/more/table.npz"])
def test_what_lies_beside_the_checks_counts_as_a_part_of_them(graded, file):
    write(graded / "assignments/hw1_sums" / file, "1,2")
    assert run(graded)["1"][0] == "graded"


# --- after a changed check --------------------------------------------------------------------------------------------

PUBLIC_FILE, HIDDEN_FILE = "tests/test_sums_public.py", "hidden/test_sums_hidden.py"


def change(course, file, old, new):
    path = course / "assignments/hw1_sums" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def checks_of_newest(course, name="3.py"):
    """Return of each check of the newest attempt whether it was taken over, and what it earned."""
    with open_gradebook(course) as book, book.ledger.reading() as session:
        asked = select(Attempt).join(SubmissionRow).where(SubmissionRow.name == name).order_by(Attempt.id.desc())
        report = report_of(session.scalars(asked).first())
    assert report.score == sum(one.score for one in report.checks)
    return {one.id.partition("::")[2]: (one.taken_over, one.score) for one in report.checks}


def test_after_a_changed_check_only_that_one_is_run(graded):
    assert checks_of_newest(graded) == {
        "test_add": (False, 10), "test_slope": (False, 7.5), "test_add_negative": (False, 10),
        "test_slope_negative": (False, 0),
    }  # fmt: skip
    # An easier one: what is off by one is good enough.
    change(graded, HIDDEN_FILE, "expect(came == -3", "expect(abs(came + 3) < 2")
    assert run(graded)["3"] == ("graded", 37.5)
    assert list(checks_of_newest(graded).items()) == [
        ("test_add", (True, 10)), ("test_slope", (True, 7.5)), ("test_add_negative", (True, 10)),
        ("test_slope_negative", (False, 10)),
    ]  # fmt: skip
    assert run(graded)["3"] == ("known", 37.5)
    with open_gradebook(graded) as book:
        assert book.problems() == []


def test_what_was_taken_over_is_what_a_whole_run_comes_to(graded):
    change(graded, HIDDEN_FILE, "expect(came == -3", "expect(abs(came + 3) < 2")
    partly = run(graded)
    assert run(graded, again=True) == partly
    assert not any(over for over, _ in checks_of_newest(graded).values())


def test_with_a_changed_check_run_what_needs_it_and_what_it_needs(graded):
    change(graded, PUBLIC_FILE, "submission.slope([1, 2], [3, 6]", "submission.slope([1, 3], [3, 9]")
    run(graded)
    over = {name for name, (taken, _) in checks_of_newest(graded).items() if taken}
    assert over == {"test_add_negative", "test_slope_negative"}  # test_slope needs test_add


def test_after_changed_code_beside_checks_their_file_is_run(graded):
    change(graded, HIDDEN_FILE, "import pytest\n", "import pytest\nFAR = -20\n")
    run(graded)
    over = {name for name, (taken, _) in checks_of_newest(graded).items() if taken}
    assert over == {"test_add", "test_slope"}


def test_a_changed_comment_runs_nothing(graded, monkeypatch):
    change(graded, HIDDEN_FILE, "import pytest\n", "# Checks.\nimport pytest\n")
    monkeypatch.setattr(judges, "open_judges", no_judges)
    assert {ended for ended, _ in run(graded).values()} == {"scored", "unreadable"}
    assert finals(graded) == SCORES | {"4": 0.0}


def test_after_a_changed_check_and_another_threshold_everything_is_run(graded):
    change(graded, HIDDEN_FILE, "expect(came == -3", "expect(abs(came + 3) < 2")
    write(graded / "assignments/hw1_sums/assignment.yml", ASSIGNMENT.replace("zero: 2.5", "zero: 1.5"))
    assert run(graded)["3"] == ("graded", 35.0)
    assert not any(over for over, _ in checks_of_newest(graded).values())


@pytest.mark.parametrize("how", ["import os; os._exit(0)", "raise MemoryError"])
def test_where_a_box_died_everything_is_run(course, how):
    write(course / "in" / "3.py", SOLUTION.replace("return a + b", how))
    os.utime(course / "in" / "3.py", (4e9, 4e9))
    with open_gradebook(course) as book:
        book.collect("hw1", str(course / "in"), None, lambda _: None)
    run(course)
    change(course, HIDDEN_FILE, "expect(came == -3", "expect(abs(came + 3) < 2")
    run(course)
    assert not any(over for over, _ in checks_of_newest(course).values())
    assert any(over for over, _ in checks_of_newest(course, "1.py").values())


def test_what_is_handed_in_later_is_graded_and_counts(graded):
    write(graded / "in" / "2.py", SOLUTION)
    os.utime(graded / "in" / "2.py", (4e9, 4e9))
    with open_gradebook(graded) as book:
        book.collect("hw1", str(graded / "in"), None, lambda _: None)
    assert run(graded)["2"] == ("graded", 40.0)
    assert finals(graded)["2"] == 40.0


@pytest.mark.parametrize(
    ("chosen", "students"),
    [
        ({"students": ("2",)}, {"2"}),
        ({"students": ("Student 3", "1")}, {"1", "3"}),
        ({"where": "score < 30"}, {"2", "3", "4"}),
        ({"where": "status = passed"}, {"1"}),
        ({"where": "score < 0"}, set()),
        ({"sample": 1}, None),
    ],
)
def test_a_part_of_the_class(graded, chosen, students):
    found = run(graded, **chosen)
    assert len(found) == 1 if students is None else found.keys() == students


def test_a_decision_survives_a_regrade(graded):
    with open_gradebook(graded) as book:
        override(book, About("hw1", "2", "test_add"), 10, "right, other formula")
    assert finals(graded)["2"] == 20.0
    run(graded, again=True)
    assert finals(graded)["2"] == 20.0


def test_what_cannot_be_graded_is_noted_and_stands_at_nothing(graded):
    run(graded)
    with open_gradebook(graded) as book:
        (row,) = [row for row in book.export_rows(book.course.assignment("hw1")) if row["id"] == "4"]
        (standing,) = book.standing()
        noted = [entry.said for entry in book.log("4") if entry.kind == "unreadable"]
    assert (row["status"], row["score"], row["final"], row["task 2"]) == ("unreadable", 0.0, 0.0, 0.0)
    assert "no .py file" in row["problem"]
    assert (standing.handed_in, standing.graded, standing.unreadable) == (4, 3, 1)
    assert len(noted) == 1


@pytest.mark.parametrize(("run_in", "asked_in"), [("en", "zh"), ("zh", "en")])
def test_why_something_cannot_be_graded_is_told_in_the_language_of_whoever_asks(course, run_in, asked_in):
    words = {"en": "no .py file", "zh": "没有 .py 文件"}
    with speaking(run_in):
        run(course)
    with speaking(asked_in):
        run(course)
        with open_gradebook(course) as book:
            (row,) = [row for row in book.export_rows(book.course.assignment("hw1")) if row["id"] == "4"]
            (noted,) = [entry.said for entry in book.log("4") if entry.kind == "unreadable"]
    for said in (row["problem"], noted):
        assert words[asked_in] in said
        assert words[run_in] not in said


def test_what_the_store_has_lost_is_our_fault_and_no_grade(course):
    for file in (course / "ledger" / "store").rglob("*.zip"):
        file.write_bytes(b"")
    assert {ended for ended, _ in run(course).values()} == {"internal"}
    assert finals(course) == dict.fromkeys(["1", "2", "3", "4"])


# --- our own faults ---------------------------------------------------------------------------------------------------


class Failing:
    """Judges that die of the first attempts at a submission, by the student's number; then others take over."""

    def __init__(self, judges, times):
        self._judges, self._left, self.at_once = judges, times, []
        self._running = 0

    def start(self, assignment, submission, options):
        self._running += 1
        self.at_once.append(self._running)
        if self._left.get(submission.name, 0) > 0:
            self._left[submission.name] -= 1
            return Refused(JudgeDied("it was killed"))
        return self._judges.start(assignment, submission, options)

    def wait(self, pending, timeout_s=None):
        ended = [one for one in pending if isinstance(one, Refused)] or self._judges.wait(pending, timeout_s)
        self._running -= len(ended)
        return ended


def failing(monkeypatch, **times):
    real, made = judges.open_judges, []

    @contextlib.contextmanager
    def open_(jobs, **options):
        with real(jobs, **options) as judges:
            made.append(Failing(judges, {f"{name[1:]}.py": count for name, count in times.items()}))
            yield made[0]

    monkeypatch.setattr(judges, "open_judges", open_)
    return made


def test_our_own_fault_is_tried_again_alone(course, monkeypatch):
    made = failing(monkeypatch, n2=1)
    assert run(course)["2"] == ("graded", 10.0)
    assert made[0].at_once[-1] == 1
    assert counted(course) == 3


class Killing:
    """Judges whose first report on submission 2 says that somebody has killed its box."""

    def __init__(self, judges):
        self._judges, self.killed, self.at_once = judges, 0, []

    def start(self, assignment, submission, options):
        pending = self._judges.start(assignment, submission, options)
        if submission.name == "2.py" and not self.killed:
            self.killed += 1
            result = pending.result
            pending.result = lambda: killed(result())
        return pending

    def wait(self, pending, timeout_s=None):
        self.at_once.append(len(pending))
        return self._judges.wait(pending, timeout_s)


def killed(report):
    checks = [
        one.model_copy(update={"status": Status.CRASHED, "killed": True, "message": "!"}) for one in report.checks
    ]
    return report.model_copy(update={"checks": tuple(checks), "status": Status.CRASHED, "score": 0.0})


def test_an_attempt_whose_box_was_killed_by_whoever_is_made_again_alone(course, monkeypatch):
    real, made = judges.open_judges, []

    @contextlib.contextmanager
    def open_(jobs, **options):
        with real(jobs, **options) as judges:
            made.append(Killing(judges))
            yield made[0]

    monkeypatch.setattr(judges, "open_judges", open_)
    assert run(course)["2"] == ("graded", 10.0)
    assert (made[0].killed, made[0].at_once[-1]) == (1, 1)
    assert counted(course) == 3


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_code_that_kills_itself_has_crashed(course):
    write(course / "in" / "2.py", SOLUTION.replace("return a + b", "import os; os.kill(os.getpid(), 9)"))
    os.utime(course / "in" / "2.py", (4e9, 4e9))
    with open_gradebook(course) as book:
        book.collect("hw1", str(course / "in"), None, lambda _: None)
    assert run(course)["2"][0] == "graded"
    with open_gradebook(course) as book:
        (grade,) = [one for one in book.grades()["hw1"] if one.student.id == "2"]
    assert (grade.attempt.status, grade.score) == ("crashed", 10.0)  # for what needs no sum
    assert counted(course) == 3


def test_our_own_fault_that_stays_is_no_grade_and_is_tried_in_the_next_run(course, monkeypatch):
    with monkeypatch.context() as patched:
        failing(patched, n2=2)
        assert run(course)["2"] == ("internal", None)
    assert finals(course)["2"] is None
    assert run(course)["2"] == ("graded", 10.0)


# --- room -------------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_into_memory_waits_for_the_others(course, monkeypatch):
    class Noting(Tell):
        def __init__(self):
            self.running, self.most, self.said = 0, 0, []

        def started(self, work):
            self.running += 1
            self.most = max(self.most, self.running)

        def waits(self, why):
            self.said.append(why)

        def done(self, done):
            self.running -= done.ended == "graded"

    monkeypatch.setattr(room, "available_bytes", lambda: 3 << 30)
    tell = Noting()
    with open_gradebook(course) as book, book.grading():
        assignment = book.course.assignment("hw1")
        options, isolation = options_for(assignment, "cpu", "process")
        works = book.plan(assignment, Chosen(), options, isolation)
        done = book.run(assignment, works, options, 3, tell)
    assert Counter(one.ended for one in done) == {"graded": 3, "unreadable": 1}
    assert tell.most == 1
    assert "3,072 MB" in tell.said[0]


# --- what it survives -------------------------------------------------------------------------------------------------


def grade(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "autograder", "run", "hw1", "--isolation", "process", "--device", "cpu", *arguments],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def test_killed_at_any_moment_it_goes_on_where_it_was(course):
    moments = random.Random(5)
    for _ in range(4):
        running = grade(course)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(moments.uniform(0.3, 6))
        running.kill()
        running.communicate()
    last = grade(course)
    assert last.wait(120) == 1  # the essay can't be graded
    last.communicate()
    assert finals(course) == SCORES | {"4": 0.0}
    with open_gradebook(course) as book, book.ledger.reading() as session:
        keys = session.execute(select(Attempt.submission_id, Attempt.key)).all()
        assert len(keys) == len(set(keys)) == 3
        assert book.problems() == []


def test_interrupted_it_says_so_and_goes_on_later(course):
    running = grade(course, "--jobs", "1")
    while counted(course) == 0 and running.poll() is None:  # in the middle of the class, and not of its own start
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) in {130, 1}
    running.communicate()
    assert {ended for ended, _ in run(course).values()} <= {"graded", "known", "unreadable"}
    assert finals(course) == SCORES | {"4": 0.0}


def test_who_interrupts_it_is_told_that_it_goes_on(course, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Gradebook, "run", interrupted)
    monkeypatch.chdir(course)
    assert cli._run(["run", "hw1"]) == 130
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "Interrupted. Nothing was left running.",
        "  What is graded is recorded; the same command goes on where it was.",
    ]


def test_two_at_once_are_told_of_each_other(course):
    with open_gradebook(course) as book, book.grading():
        second = grade(course)
        _, said = second.communicate(timeout=60)
        assert second.returncode == 2
        assert b"already" in said
        # Looking at what would be done needs no turn.
        looking = grade(course, "--dry-run")
        looking.communicate(timeout=60)
        assert looking.returncode == 0
    assert counted(course) == 0


def test_the_same_submission_of_a_group_is_graded_once(course):
    write(course / "in" / "1 and 2" / "sums.py", SOLUTION + "# together\n")
    with open_gradebook(course) as book:
        book.collect("hw1", str(course / "in"), None, lambda _: None)
        with book.ledger.reading() as session:
            number = session.scalar(select(func.max(SubmissionRow.id)))
        book.assign(number, ["1", "2"])
    found = run(course)
    assert found["1"] == ("graded", 40.0)
    assert finals(course)["1"] == finals(course)["2"] == 40.0
