"""The verdict corpus: hand-ins as students make them, each graded as a student would grade it, by `grade check`.

What is handed in and what must come of it stands in submissions/corpus.yml, and nowhere else. Whatever is handed in,
`grade` says it in one JSON document, is never itself at fault, shows none of its own traceback, changes no file of the
student's and leaves nothing running.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

import autograder
from autograder.box.probe import probe
from autograder.results import CheckResult, Report, Status

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "tests" / "submissions"
AT_A_TIME = 2  # a run of `grade check` waits for its box half the time
HUNG_S = 280  # grade's own limits end everything long before; short of pytest-timeout's 300
END_S = 10  # what was killed needs a moment to be gone


class HandIn(BaseModel):
    """One line of the table: a hand-in and what must come of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(description="a file or folder below submissions/; its first folder is the assignment's id")
    why: str = Field("", description="what the hand-in is about, where its name does not say it")
    assignment: str = Field("", description="where the file's first folder is not it")
    hidden: bool = Field(False, description="run the hidden checks too")
    isolation: Literal["", "process", "namespaces"] = Field("", description="asked for by name; else what is best")
    needs: Literal["", "torch", "tensorflow", "matplotlib"] = Field("", description="the framework that it imports")
    only: Literal["", "linux", "posix"] = Field("", description="the systems that have what it plays with")
    limits: dict[str, float] = Field({}, description="instead of the assignment's own")

    exit: int | None = Field(None, description="the exit code; otherwise 0 where the status is passed, else 1")
    status: Status | None = Field(None, description="the attempt's; left out where chance decides it")
    score: float | tuple[float, float] = Field(0.0, description="points, or the range that they lie in")
    checks: dict[Status, list[str]] = Field({}, description="status: names of checks, with * for any characters")
    others: Status | Literal["any"] = Field(Status.PASSED, description="of the checks not named, skipped ones apart")
    says: list[str] = Field([], description="texts that the student must read somewhere in the report")
    never_says: list[str] = Field([], description="texts that would mislead")
    prints: list[str] = Field([], description="texts in the output that was kept of the student's code")
    xfail: str = Field("", description="why grade does not do this yet")

    @property
    def id(self) -> str:
        return self.file + ("-hidden" if self.hidden else "") + (f"-{self.isolation}" if self.isolation else "")

    @property
    def homework(self) -> str:
        return self.assignment or self.file.split("/")[0]

    @property
    def exit_code(self) -> int:
        return self.exit if self.exit is not None else int(self.status is not Status.PASSED)

    @property
    def score_range(self) -> tuple[float, float]:
        return self.score if isinstance(self.score, tuple) else (self.score, self.score)

    def marks(self) -> Iterator[pytest.MarkDecorator]:
        if self.needs:
            yield getattr(pytest.mark, self.needs)
        if (self.only == "linux" and sys.platform != "linux") or (self.only == "posix" and sys.platform == "win32"):
            yield pytest.mark.skip(reason=f"for {self.only} only")
        if self.isolation == "namespaces" and probe().best != self.isolation:
            yield pytest.mark.skip(reason="no sealed boxes here")
        if self.xfail:
            yield pytest.mark.xfail(reason=self.xfail, strict=True)


def read_corpus() -> list[HandIn]:
    rows = yaml.safe_load((CORPUS / "corpus.yml").read_text(encoding="utf-8"))
    return [HandIn.model_validate(row) for row in rows]


HAND_INS = read_corpus()


# --- grading --------------------------------------------------------------------------------------------------------


class Graded(NamedTuple):
    """What a run of `grade check` showed, and what it left behind."""

    exit_code: int
    stdout: str
    stderr: str
    processes: list[psutil.Process]
    files: list[str]


class Gradings:
    """Grades hand-ins, some at a time, in courses like the repository's own but for the limits."""

    def __init__(self, folders: Callable[[str], Path]) -> None:
        self._folders = folders
        self._pool = ThreadPoolExecutor(AT_A_TIME)
        self._futures: dict[str, Future[Graded]] = {}
        self.courses: dict[str, Path] = {}

    def begin(self, hand_in: HandIn) -> None:
        limits = json.dumps([hand_in.homework, hand_in.limits]) if hand_in.limits else ""
        if limits not in self.courses:
            self.courses[limits] = make_course(self._folders("课程 course"), hand_in)
        self._futures[hand_in.id] = self._pool.submit(grade, hand_in, self.courses[limits], self._folders("scratch"))

    def of(self, hand_in: HandIn) -> Graded:
        return self._futures[hand_in.id].result()

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def gradings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gradings]:
    """All hand-ins of this run, graded ahead of the tests that look at what came of them."""
    made = Gradings(tmp_path_factory.mktemp)
    for item in request.session.items:
        asked = isinstance(item, pytest.Function) and item.function is test_hand_in
        if asked and item.get_closest_marker("skip") is None:
            made.begin(item.callspec.params["hand_in"])
    yield made
    made.end()


def make_course(folder: Path, hand_in: HandIn) -> Path:
    without_bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "assignments", folder / "assignments", ignore=without_bytecode)
    shutil.copytree(CORPUS, folder / "submissions", ignore=without_bytecode)
    shutil.copy(ROOT / "course.yml", folder)
    if hand_in.limits:
        (file,) = (folder / "assignments").glob(f"{hand_in.homework}_*/assignment.yml")
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
        settings["limits"] = settings.get("limits", {}) | hand_in.limits
        file.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return folder


def grade(hand_in: HandIn, course: Path, scratch: Path) -> Graded:
    """Grade the hand-in in a process of its own, whose temporary files all lie in `scratch`."""
    command = [sys.executable, "-m", "autograder", "check", hand_in.homework, f"submissions/{hand_in.file}", "--json"]
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    environment |= {
        "CUDA_VISIBLE_DEVICES": "",  # what comes of a hand-in must not depend on the machine
        "GRADE_LANG": "en",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONPATH": str(Path(autograder.__file__).parents[1]),
    }
    done = subprocess.run(
        [
            *command,
            *(["--hidden"] if hand_in.hidden else []),
            *(["--isolation", hand_in.isolation] if hand_in.isolation else []),
        ],
        cwd=course,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=HUNG_S,
        check=False,
    )
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


@pytest.mark.parametrize("hand_in", [pytest.param(one, id=one.id, marks=list(one.marks())) for one in HAND_INS])
def test_hand_in(hand_in: HandIn, gradings: Gradings) -> None:
    graded = gradings.of(hand_in)
    assert graded.stderr == ""
    assert graded.exit_code == hand_in.exit_code, graded.stdout
    document = json.loads(graded.stdout)  # one document and nothing else
    if hand_in.exit_code == 2:
        assert_says(hand_in, [document["error"]["message"], document["error"]["hint"] or ""])
    else:
        assert_report(hand_in, Report.model_validate(document))
    assert not graded.processes
    assert not graded.files


def test_hand_ins_stay_as_they_are(gradings: Gradings) -> None:
    for course in gradings.courses.values():
        assert files_in(course / "submissions") == files_in(CORPUS)


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
