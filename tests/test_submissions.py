"""The verdict corpus: hand-ins as students make them, each graded as a student would grade it, by `grade check`.

What is handed in and what must come of it stands in submissions/corpus.yml, and nowhere else. Whatever is handed in,
`grade` says it in one JSON document, is never itself at fault, shows none of its own traceback, changes no file of the
student's and leaves nothing running.

All of them are graded by the command in this process, with its judges and boxes forked warm; and for CI, by a command
of their own each, from a cold start.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

import autograder
from autograder import cli
from autograder.box import cores
from autograder.box.zygotes import close_zygotes
from autograder.course import LoadedAssignment, load_course
from autograder.judge import check
from autograder.judge.judges import Judges, open_judges
from autograder.judge.options import AttemptOptions
from autograder.results import CheckResult, Report, Status
from autograder.submission import Submission
from tests.hand_ins import CORPUS, HAND_INS, Courses, HandIn

AT_A_TIME = 2  # a run of `grade check` waits for its box half the time
HUNG_S = 280  # grade's own limits end everything long before; short of pytest-timeout's 300
END_S = 60  # at most: what was killed needs a moment to be gone
# What comes of a hand-in must not depend on the machine.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "GRADE_LANG": "en"}
TEMPORARY = ("TMPDIR", "TEMP", "TMP")

each_hand_in = pytest.mark.parametrize(
    "hand_in", [pytest.param(one, id=one.id, marks=list(one.marks())) for one in HAND_INS]
)


class Graded(NamedTuple):
    """What a run of `grade check` showed, and what it left behind."""

    exit_code: int
    stdout: str
    stderr: str
    processes: list[psutil.Process]
    files: list[str]


@pytest.fixture(scope="module")
def courses(tmp_path_factory: pytest.TempPathFactory) -> Courses:
    return Courses(tmp_path_factory.mktemp)


@each_hand_in
def test_hand_in(hand_in: HandIn, warm: Warm, capsys: pytest.CaptureFixture[str]) -> None:
    assert_graded(hand_in, warm.grade(hand_in, capsys))


@pytest.mark.ci
@each_hand_in
def test_hand_in_by_a_command_of_its_own(hand_in: HandIn, commands: Commands) -> None:
    assert_graded(hand_in, commands.of(hand_in))


def test_hand_ins_stay_as_they_are(courses: Courses) -> None:
    for course in courses.made.values():
        assert files_in(course / "submissions") == files_in(CORPUS)


# --- by judges and boxes that are warm ------------------------------------------------------------------------------


class Warm:
    """`grade check` in this process, but that the attempt is made by a judge that is warm.

    Args:
        courses: where hand-ins are graded.
        scratch: where all temporary files lie.
        judges: make the attempts.
    """

    def __init__(self, courses: Courses, scratch: Path, judges: Judges) -> None:
        self._courses, self._scratch, self._judges = courses, scratch, judges
        self._kinds: set[tuple[Path, str, bool, str, str]] = set()

    def attempt(self, assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Report:
        return self._judges.start(assignment, submission, options).result()

    def grade(self, hand_in: HandIn, capsys: pytest.CaptureFixture[str]) -> Graded:
        course = self._courses.of(hand_in)
        self.start_zygotes(hand_in, course)
        processes, files = self._processes(), self._files()
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patched, contextlib.chdir(course):
            patched.setattr(check, "run_attempt", self.attempt)
            exit_code = cli._run(hand_in.arguments)
        printed = capsys.readouterr()
        end = time.monotonic() + END_S
        while (left := self._processes() - processes) and time.monotonic() < end:
            time.sleep(0.01)
        return Graded(exit_code, printed.out, printed.err, list(left), sorted(self._files() - files))

    def start_zygotes(self, hand_in: HandIn, course: Path) -> None:
        """Have an attempt made of the same kind: what runs after it stays, and is not this hand-in's."""
        framework = hand_in.needs if hand_in.needs in {"torch", "tensorflow"} else ""
        kind = (course, hand_in.homework, hand_in.hidden, hand_in.isolation, framework)
        if kind in self._kinds:
            return
        self._kinds.add(kind)
        nothing = f"import {framework or 'numpy'}\n".encode()
        options = AttemptOptions(hidden=hand_in.hidden, isolation=hand_in.isolation or "auto")
        self.attempt(
            load_course(course).assignment(hand_in.homework),
            Submission("none.py", {"none.py": nothing}, "none.py"),
            options,
        )

    def _processes(self) -> set[psutil.Process]:
        """What was started here, and what has lost its parents."""
        return {*psutil.Process().children(recursive=True), *processes_of(self._scratch)}

    def _files(self) -> set[str]:
        """What lies in temporary folders, and in the folders of zygotes there."""
        return {str(path.relative_to(self._scratch)) for depth in ("*", "*/*") for path in self._scratch.glob(depth)}


@pytest.fixture(scope="module")
def warm(courses: Courses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    scratch = tmp_path_factory.mktemp("scratch")
    close_zygotes()  # those of tests before have another environment
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(scratch))
        for name, value in (ENVIRONMENT | dict.fromkeys(TEMPORARY, str(scratch))).items():
            patched.setenv(name, value)
        # For as many attempts as there are cores: where one is idle a box may be started ahead, and be taken for left.
        with open_judges(cores.usable()) as judges:
            yield Warm(courses, scratch, judges)
        close_zygotes()
    assert not list(scratch.iterdir())


def test_what_a_hand_in_leaves_behind_is_seen(
    warm: Warm, courses: Courses, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in, attempt, started = HAND_INS[0], warm.attempt, []
    warm.start_zygotes(hand_in, courses.of(hand_in))  # else by `leave`, before the first look

    def leave(*asked: object) -> Report:
        report = attempt(*asked)  # type: ignore[arg-type]
        Path(tempfile.gettempdir(), "left").touch()
        started.append(psutil.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return report

    monkeypatch.setattr(warm, "attempt", leave)
    monkeypatch.setattr(sys.modules[__name__], "END_S", 0)
    graded = warm.grade(hand_in, capsys)
    started[0].communicate()
    Path(tempfile.gettempdir(), "left").unlink()
    # Perhaps beside what ends by itself: it was given no time.
    assert started[0] in graded.processes
    assert "left" in graded.files


# --- by a command of their own --------------------------------------------------------------------------------------


class Commands:
    """Grades hand-ins each in a process of its own, some at a time."""

    def __init__(self, courses: Courses, folders: pytest.TempPathFactory) -> None:
        self._courses, self._folders = courses, folders
        self._pool = ThreadPoolExecutor(AT_A_TIME)
        self._futures: dict[str, Future[Graded]] = {}

    def begin(self, hand_in: HandIn) -> None:
        course, scratch = self._courses.of(hand_in), self._folders.mktemp("scratch")
        self._futures[hand_in.id] = self._pool.submit(grade, hand_in, course, scratch)

    def of(self, hand_in: HandIn) -> Graded:
        return self._futures[hand_in.id].result()

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def commands(
    request: pytest.FixtureRequest, courses: Courses, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Commands]:
    """All hand-ins of this run, graded ahead of the tests that look at what came of them."""
    made = Commands(courses, tmp_path_factory)
    for item in request.session.items:
        asked = isinstance(item, pytest.Function) and item.function is test_hand_in_by_a_command_of_its_own
        if asked and item.get_closest_marker("skip") is None:
            made.begin(item.callspec.params["hand_in"])
    yield made
    made.end()


def grade(hand_in: HandIn, course: Path, scratch: Path) -> Graded:
    """Grade the hand-in in a process of its own, whose temporary files all lie in `scratch`."""
    environment = os.environ | ENVIRONMENT | dict.fromkeys(TEMPORARY, str(scratch))
    environment |= {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(Path(autograder.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "autograder", *hand_in.arguments],
        cwd=course, env=environment, capture_output=True, encoding="utf-8", timeout=HUNG_S, check=False,
    )  # fmt: skip
    _, processes = psutil.wait_procs(list(processes_of(scratch)), timeout=END_S)
    files = sorted(path.name for path in scratch.iterdir())
    clean_up(scratch, processes)
    return Graded(done.returncode, done.stdout, done.stderr, processes, files)


def processes_of(scratch: Path) -> Iterator[psutil.Process]:
    """The processes that were started inside a box of the run: told by their environment, folder or arguments."""
    for pid in psutil.pids():
        try:
            process = psutil.Process(pid)
            told = [*process.environ().values(), process.cwd(), *process.cmdline()]
        except (psutil.Error, OSError):  # gone meanwhile, or another user's
            continue
        if any(f"{scratch}{os.sep}" in text for text in told):
            yield process


def clean_up(scratch: Path, processes: list[psutil.Process]) -> None:
    """Remove what a run left behind: it is known by now, and nobody else should come upon it."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=END_S)
    if sys.platform != "win32":
        # shutil.rmtree, and so pytest, gives up where folders are nested deeper than Python recurses.
        subprocess.run(["rm", "-rf", "--", *scratch.iterdir()], check=True)


# --- what must come of it -------------------------------------------------------------------------------------------


def assert_graded(hand_in: HandIn, graded: Graded) -> None:
    assert graded.stderr == ""
    assert graded.exit_code == hand_in.exit_code, graded.stdout
    document = json.loads(graded.stdout)  # one document and nothing else
    if hand_in.exit_code == 2:
        assert_says(hand_in, [document["error"]["message"], document["error"]["hint"] or ""])
    else:
        assert_report(hand_in, Report.model_validate(document))
    assert not graded.processes
    assert not graded.files


def files_in(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def assert_report(hand_in: HandIn, report: Report) -> None:
    statuses = {check.id.split("::")[1]: check.status for check in report.checks}
    assert Status.INTERNAL not in statuses.values(), [check.staff_note for check in report.checks]
    assert_statuses(hand_in, statuses)
    low, high = hand_in.score_range
    assert low <= report.score <= high
    assert report.score == pytest.approx(sum(check.score for check in report.checks))
    if hand_in.status is not None:
        assert report.status is hand_in.status
    texts = [report.message, *(text for check in report.checks for text in texts_of(check))]
    printed = "".join(check.stdout_tail for check in report.checks)
    assert_says(hand_in, texts)
    assert not [text for text in hand_in.prints if text not in printed], printed
    # Students read no path of the box's and no frame of ours, not even in the output of their own code.
    ours = str(Path(autograder.__file__).parent)
    assert not [text for text in texts if "grade-box-" in text or ours in text]
    assert f'File "{ours}' not in printed


def texts_of(check: CheckResult) -> list[str]:
    """What the student reads about a check."""
    return [check.message, check.expected, check.came, check.hint, *check.frames]


def assert_statuses(hand_in: HandIn, statuses: dict[str, Status]) -> None:
    wanted: dict[str, Status] = {}
    for status, patterns in hand_in.checks.items():
        for pattern in patterns:
            named = [name for name in statuses if fnmatchcase(name, pattern)]
            assert named, f"corpus.yml: no check {pattern}"
            wanted |= dict.fromkeys(named, status)
    assert {name: statuses[name] for name in wanted} == wanted
    if hand_in.others != "any":
        others = {name: status for name, status in statuses.items() if name not in wanted}
        assert set(others.values()) <= {hand_in.others, Status.SKIPPED}, others


def assert_says(hand_in: HandIn, texts: list[str]) -> None:
    assert not [said for said in hand_in.says if not any(said in text for text in texts)], set(texts)
    assert not [said for said in hand_in.never_says if any(said in text for text in texts)], set(texts)


# --- the table ------------------------------------------------------------------------------------------------------


def test_table_names_each_hand_in_once() -> None:
    ids = [one.id for one in HAND_INS]
    assert len(set(ids)) == len(ids)


def test_every_hand_in_is_in_the_table() -> None:
    named = {one.file.split("/")[1] for one in HAND_INS if not one.assignment}
    there = {path.name for folder in CORPUS.iterdir() if folder.is_dir() for path in folder.iterdir()}
    assert there - {"__pycache__"} == named
