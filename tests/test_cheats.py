"""Submissions that go for points instead of answers, through the whole judge: each gets what its honest part earns.

What they do and what they must get stands in cheats/cheats.yml.
"""

from __future__ import annotations

import io
import itertools
import json
import secrets
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import yaml
from pydantic import BaseModel, ConfigDict
from rich.console import Console

from autograder.box import client as client_module
from autograder.box.client import BoxClient
from autograder.box.protocol import Loaded
from autograder.box.spec import BoxSpec
from autograder.box.zygotes import close_zygotes
from autograder.course import load_course
from autograder.judge import boxes
from autograder.judge.attempt import run_attempt
from autograder.judge.options import AttemptOptions
from autograder.limits import Limits
from autograder.report.terminal import print_report
from autograder.results import Report, Status
from autograder.submission import Submission, find
from tests.box.conftest import Driven, sealed_only
from tests.tiny_course import COURSE, SOLUTION, attempt, check_of, make_course, write

FOLDER = Path(__file__).with_name("cheats")
CHECKS = ("test_add", "test_slope", "test_add_negative", "test_slope_negative")
# What a terminal acts on, or shows in another order: escapes, bells, returns, control sequences of one byte.
ACTED_ON = frozenset("\x1b\x07\r\x9b\u202e\x00")

pytestmark = sealed_only


class Cheat(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    ends: tuple[Status, Status, Status, Status] = (Status.FAILED, Status.SKIPPED, Status.FAILED, Status.PASSED)
    score: float = 10
    alone: Literal["", "gains"] = ""
    why: str = ""

    @property
    def source(self) -> str:
        return (FOLDER / f"{self.file}.py").read_text(encoding="utf-8")


CHEATS = [Cheat.model_validate(row) for row in yaml.safe_load((FOLDER / "cheats.yml").read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module", autouse=True)
def _no_zygotes_left() -> Iterator[None]:
    yield
    close_zygotes()


def checked(course: Path, source: str) -> Report:
    return attempt(course, source, hidden=True, isolation="namespaces", device="cpu")


def shown(report: Report) -> str:
    """Return what a terminal gets."""
    said = io.StringIO()
    print_report(report, verbose=True, console=Console(file=said, width=100, color_system=None))
    return said.getvalue()


@pytest.mark.parametrize("cheat", [pytest.param(cheat, id=cheat.file) for cheat in CHEATS])
def test_security_a_cheat_gets_what_its_honest_part_earns(cheat: Cheat, course: Path) -> None:
    report = checked(course, cheat.source)
    ends = tuple(check_of(report, name).status for name in CHECKS)
    assert ends == cheat.ends, [(check.status, check.message, check.staff_note) for check in report.checks]
    assert report.score == cheat.score
    assert not ACTED_ON & set(shown(report))
    assert all(len(check.message) < 1000 and len(check.came) < 1000 for check in report.checks)
    assert 0 < report.duration_s < 60


# A grader as there are many: the checks and what they check in one process, the score on stdout. Two styles of checks,
# plain and numpy's; it counts the better one.
IN_ONE_PROCESS = """
import json, sys
import numpy as np
CHECKS = [("add", (2, 3), 5), ("add", (-20, 3), -17)]

def plainly(came, wanted):
    assert bool(came == wanted)

def by_numpy(came, wanted):
    np.testing.assert_allclose(came, wanted)

scores = [0, 0]
import sums
for style, compare in enumerate((plainly, by_numpy)):
    for name, arguments, wanted in CHECKS:
        try:
            compare(getattr(sums, name)(*arguments), wanted)
            scores[style] += 10
        except Exception:
            pass
print(json.dumps({"score": max(scores)}))
"""


@pytest.mark.parametrize("cheat", [pytest.param(cheat, id=cheat.file) for cheat in CHEATS if cheat.alone])
def test_the_cheat_is_one(cheat: Cheat, tmp_path: Path) -> None:
    write(tmp_path / "sums.py", cheat.source)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{IN_ONE_PROCESS}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[0])["score"] > 0, done


def test_every_cheat_is_in_the_table_and_says_why_it_is_one():
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(cheat.file for cheat in CHEATS)
    assert all(bool(cheat.alone) != bool(cheat.why) for cheat in CHEATS)


def test_security_a_box_could_tell_itself_from_others_by_numbers(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `knows_which_box` is about: were boxes counted, it would be right in the first one, and only there."""
    cheat = next(one for one in CHEATS if one.file == "knows_which_box")
    counted = itertools.count(1)
    monkeypatch.setattr(client_module.secrets, "randbits", lambda _: next(counted))
    assert check_of(checked(course, cheat.source), "test_add").status is Status.PASSED


# --- what was there before --------------------------------------------------------------------------------------------

# Looks for numbers that begin with eight bytes that it is told, and tells the eight that follow. In halves that it puts
# together: its own memory holds what it is told, too, but nothing after it.
SEARCH = """
import numpy as np

def keep(labels):
    global kept
    kept = labels
    return len(labels)

def search(first):
    found = []
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if rights[0] != "r":
                continue
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue
            at = content.find(first.tobytes())
            while at >= 0:
                found.append(content[at + 8 : at + 16])
                at = content.find(first.tobytes(), at + 1)
    return found
"""


def test_security_labels_that_another_box_was_given_are_in_no_box_after_it():
    labels = np.frombuffer(secrets.token_bytes(4096), dtype=np.uint8)
    rest = labels[8:16].tobytes()

    def opened() -> Driven:
        spec = BoxSpec({"sums.py": SEARCH.encode()}, "sums.py", (), "cpu", Limits(threads=3), isolation="namespaces")
        return Driven(BoxClient(spec))

    before, given, after = opened(), opened(), None
    try:
        assert given.call("keep", labels) == len(labels)
        assert rest in given.call("search", labels[:8])  # it is found where it is
        after = opened()
        assert rest not in before.call("search", labels[:8])
        assert rest not in after.call("search", labels[:8])
    finally:
        for box in (before, given, after):
            if box is not None:
                box.client.close()


# --- files that take the place of others ------------------------------------------------------------------------------

TAKES_OVER = "import builtins, sys\nprint('TOOK OVER', __name__)\nbuiltins.abs = lambda _: 0\nsys.exit(0)\n"
NAMES = (
    "numpy/__init__.py", "torch.py", "msgspec.py", "autograder.py", "autograder/__init__.py", "conftest.py",
    "sitecustomize.py", "usercustomize.py", "random.py", "json.py", "socket.py", "pytest.py", "tests/conftest.py",
    "test_sums_public.py", "test_sums_hidden.py", "encodings/utf_8.py",
)  # fmt: skip
SETTINGS = {
    "pytest.ini": b"[pytest]\naddopts = --collect-only\n",
    "pyproject.toml": b"[tool.pytest.ini_options]\naddopts = '-k nothing'\n",
    "course.yml": b"id: own\n", "assignment.yml": b"points: 1\n", "own.pth": b"import sys; sys.exit(0)\n",
    ".env": b"GRADE_ISOLATION=process\n", "pyvenv.cfg": b"home = /\n",
}  # fmt: skip
ODD_NAMES = ("a\nb.txt", "\x1b[2J.txt", "gnp.\u202etxt", "-rf", "$(reboot)", "'; drop.txt", "a" * 200, "x\r✓ 40")

WRONG = "def add(a, b):\n    return a - b\n\n\ndef slope(xs, ys, seed=0):\n    return 3\n"


def handed_in(course: Path, files: dict[str, bytes]) -> Report:
    assignment = load_course(course).assignment("hw1")
    options = AttemptOptions(hidden=True, isolation="namespaces", device="cpu")
    return run_attempt(assignment, Submission("sums.py", files, "sums.py"), options)


@pytest.mark.parametrize("language", [WRONG, "import random, json, socket, msgspec\nimport numpy\n" + WRONG])
def test_security_files_that_take_the_place_of_others_do_not(course: Path, language: str) -> None:
    files = {name: TAKES_OVER.encode() for name in NAMES} | SETTINGS | {"sums.py": language.encode()}
    report = handed_in(course, files)
    assert [check.status for check in report.checks] == [Status.FAILED, Status.SKIPPED, Status.FAILED, Status.FAILED]
    assert report.score == 0
    assert not [check for check in report.checks if "TOOK OVER" in check.stdout_tail]


def test_without_the_order_of_the_path_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    """As a plain `import sums` in the student's folder does: the files above are no harmless ones."""
    write(tmp_path / "random.py", TAKES_OVER)
    done = subprocess.run(
        [sys.executable, "-c", "import random; print(random.random())"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("TOOK OVER random")


def test_security_odd_names_of_files_reach_no_terminal(course: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hw1"
    folder.mkdir()
    for name in ODD_NAMES:
        (folder / name).write_text("x")
    write(
        folder / "sums.py",
        textwrap.dedent("def add(a, b): return open('/nowhere/\\x1b[2J\\u202e')\n") + "def slope(xs, ys): return 3\n",
    )
    (folder / "link.py").symlink_to(course / "course.yml")
    (folder / "all").symlink_to(course)
    submission = find(load_course(course).assignment("hw1"), folder, tmp_path)
    assert not [name for name, content in submission.files.items() if COURSE.encode() in content or name[:4] == "all/"]
    report = handed_in(course, submission.files)
    assert report.score == 0
    assert not ACTED_ON & set(shown(report))


def test_security_what_a_notebook_has_printed_is_not_run_or_shown(course: Path, tmp_path: Path) -> None:
    """Ten megabytes of outputs, saved in it by whoever ran it; some are code, and for a terminal."""
    printed = {"output_type": "stream", "name": "stdout", "text": ["\x1b[2J40/40\n" + "x" * 10_000_000]}
    page = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>alert(1)</script>"}}
    cell = {"cell_type": "code", "metadata": {}, "execution_count": 1}
    cells = [cell | {"source": SOLUTION, "outputs": [printed, page]}, cell | {"source": "print(1)", "outputs": []}]
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    write(tmp_path / "sums.ipynb", json.dumps(document))
    assignment = load_course(course).assignment("hw1")
    options = AttemptOptions(hidden=True, isolation="namespaces", device="cpu")
    report = run_attempt(assignment, find(assignment, tmp_path / "sums.ipynb", tmp_path), options)
    assert report.score == 40
    assert not ACTED_ON & set(shown(report))


# Each box calls its machine something else.
NAMES_ITS_MACHINE = """
import os, platform
WORD = os.urandom(8).hex()
platform.platform = lambda: WORD
"""


def test_security_the_report_has_of_the_machine_what_a_box_said_before_any_was_asked(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later box can hear what a hidden check asks an earlier one: they run at the same time, on the same machine."""
    told: list[str] = []
    as_ever = boxes.claims.loaded

    def noted(claim: Loaded) -> Loaded:
        told.append(claim.environment.platform)
        return as_ever(claim)

    monkeypatch.setattr(boxes.claims, "loaded", noted)
    report = checked(course, SOLUTION + NAMES_ITS_MACHINE)
    assert report.score == 40
    assert len(set(told)) == 3  # the public checks' box, and one for each hidden check
    assert report.redacted().environment.platform == told[0]
    assert not any(said in report.redacted().model_dump_json() for said in told[1:])
