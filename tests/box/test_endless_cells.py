"""A notebook's cell that never ends is waited for in the first box of an attempt, and in no other."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from msgspec import structs

from autograder.assignment import Entry
from autograder.box import client as client_module
from autograder.box.causes import BoxDied
from autograder.box.client import BoxClient, StudentRaised
from autograder.box.spec import BoxSpec
from autograder.course import find_course
from autograder.judge import boxes as boxes_module
from autograder.judge import claims
from autograder.judge.attempt import run_attempt
from autograder.judge.boxes import Boxes
from autograder.judge.listener import Listener
from autograder.judge.options import AttemptOptions
from autograder.judge.proxy import Submission
from autograder.limits import Limits
from autograder.results import Report
from autograder.submission import read_file
from tests.box.conftest import PYTHON, sealed_only
from tests.tiny_course import SOLUTION, make_course, write

BEGUN = "print('begins')\nran = 0\ndef before(): return ran"
ENDLESS = "def beside(): return 'beside'\nwhile True: ran += 1\nnever = 1"
CELLS = (BEGUN, ENDLESS, "import os\ndef after(): return ran\ndef leave(): os._exit(3)", "while True: ran += 1")
QUIET = (BEGUN, "def beside(): return 'beside'", "def after(): return ran")


pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on Windows")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have cells take 2.4 s together, while what starts a box has all its time."""
    monkeypatch.setattr(client_module, "_CELLS_SHARE", 0.04)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[BoxClient]:
    """All boxes that the test starts, in order."""
    clients: list[BoxClient] = []

    class Recording(BoxClient):
        def __init__(self, spec: BoxSpec) -> None:
            super().__init__(spec)
            clients.append(self)

    monkeypatch.setattr(boxes_module, "BoxClient", Recording)
    return clients


Begin = Callable[..., Boxes]


@pytest.fixture
def begin(started: list[BoxClient]) -> Iterator[Begin]:
    """Begins an attempt with a notebook of the given cells."""
    made: list[Boxes] = []

    def begin(*cells: str, isolation: str = "process", **changes: Any) -> Boxes:
        starts, line = [], 1
        for cell in cells:
            starts.append(line)
            line += cell.count("\n") + 1
        spec = BoxSpec(
            {"hw1.py": "\n".join(cells).encode()}, "hw1.py", (), "cpu", Limits(import_s=60, call_s=60),
            notebook=True, cells=tuple(starts), python=PYTHON, isolation=isolation,
        )  # fmt: skip
        made.append(Boxes(replace(spec, **changes), Entry(file="hw1.py", names=("before",)), Listener()))
        return made[-1]

    yield begin
    for boxes in made:
        boxes.close()


def check(boxes: Boxes, *, hidden: bool = False, hidden_left: int = 0) -> Any:
    boxes.begin_check(hidden=hidden, hidden_left=hidden_left)
    return Submission(boxes)


def who_waited(started: list[BoxClient]) -> list[bool]:
    return [not client._spec.stopped for client in started]


# --- once an attempt --------------------------------------------------------------------------------------------------


def test_the_first_box_waits_and_all_that_answer_have_run_the_same(begin: Begin, started: list[BoxClient], backend):
    boxes = begin(*CELLS, isolation=backend)
    told = []
    for number in range(4):
        student = check(boxes, hidden=number > 1, hidden_left=min(3 - number, 2))
        assert (student.before(), student.beside(), student.after()) == (0, "beside", 0)
        with pytest.raises(StudentRaised, match="CellStopped"):
            student.never()
        told.append(boxes.end_check())
    lines = [
        "a cell of your notebook took too long and was stopped, and the cells after it ran: code cell "
        f"{number} (while True: ran += 1)"
        for number in (2, 4)
    ]
    assert [one.text for one in told[0].notes] == lines
    assert [one.notes for one in told[2:]] == [told[0].notes] * 2
    assert told[0].printed == told[2].printed == told[3].printed == "begins\n"
    assert who_waited(started) == [True] + [False] * (len(started) - 1)
    assert not started[0].alive


def test_a_box_that_is_started_anew_does_not_wait_either(begin: Begin, started: list[BoxClient]):
    boxes = begin(*CELLS)
    for _ in range(2):
        with pytest.raises(BoxDied):
            check(boxes).leave()
        boxes.end_check()
    assert who_waited(started) == [True, False, False]


def test_where_only_hidden_checks_run_it_is_the_first_of_theirs_that_waits(begin: Begin, started: list[BoxClient]):
    boxes = begin(*CELLS)
    for left in (1, 0):
        assert check(boxes, hidden=True, hidden_left=left).after() == 0
        boxes.end_check()
    assert who_waited(started) == [True, False, False]


def test_what_the_cells_show_is_what_the_first_box_has_seen(begin: Begin, started: list[BoxClient]):
    boxes = begin("print('one')", "while True: print('on', flush=True)", show_cells=True)
    with pytest.raises(StudentRaised):
        check(boxes).missing()
    assert "on\n" in "".join(printed.text for printed in boxes.told_by_cells.printed)
    assert boxes.end_check().printed == "one\n"
    with pytest.raises(StudentRaised):
        check(boxes, hidden=True).missing()
    assert who_waited(started) == [True, False, False]


def test_a_notebook_that_ends_has_its_first_box_answer(begin: Begin, started: list[BoxClient]):
    boxes = begin(*QUIET)
    student = check(boxes, hidden_left=2)
    assert [client._load_id for client in started] == [1, 0, 0]  # each would wait for what the first one waits for
    assert student.before() == 0
    assert [client._load_id for client in started[1:]] == [1, 1]
    assert started[0].alive
    assert who_waited(started) == [True] * 3


def test_how_the_first_import_fails_is_told_with_what_it_printed(begin: Begin, started: list[BoxClient]):
    boxes = begin("import os\nprint('last words', flush=True)\nos._exit(3)")
    with pytest.raises(BoxDied):
        check(boxes, hidden_left=2).before()
    assert boxes.end_check().printed == "last words\n"
    with pytest.raises(BoxDied):
        check(boxes, hidden=True).before()
    assert [client._load_id for client in started] == [1, 0, 0]  # no other box has been given it


# --- the report is that of boxes that wait each for themselves --------------------------------------------------------

SWALLOWING = "try:\n    while True: pass\nexcept KeyboardInterrupt:\n    while True: pass"


def attempt(folder: Path, *cells: str) -> Report:
    assignment = find_course(make_course(folder)).assignment("hw1")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    path = write(folder / "hw1.ipynb", nbformat.writes(notebook))
    return run_attempt(assignment, read_file(path), AttemptOptions(hidden=True))


def told(report: Report) -> list[Any]:
    return [
        (check.id, check.status, check.score, check.message, check.hint, check.notes) for check in report.checks
    ] + [report.notes, report.score, report.status]


@pytest.mark.parametrize(
    "cells",
    [
        (SOLUTION, "while True: pass"),
        (SOLUTION.replace("def slope", "while True: pass\n\ndef slope"),),  # one of the functions is missing
        ("import time", "def wait():\n    while True: time.sleep(1)\nwait()", SOLUTION, "while True: pass"),
        (SWALLOWING, SOLUTION),
    ],
    ids=["behind it", "between", "in a function", "swallowed once"],
)
def test_the_report_is_as_if_each_box_had_waited_for_itself(tmp_path: Path, started, monkeypatch, cells):
    report = attempt(tmp_path / "once", *cells)
    assert sum(who_waited(started)) == 1
    assert len(started) == 4
    started.clear()
    honest = claims.loaded
    monkeypatch.setattr(claims, "loaded", lambda one: structs.replace(honest(one), stopped=[]))
    assert told(attempt(tmp_path / "each", *cells)) == told(report)
    assert who_waited(started) == [True] * 3


# --- a claim ----------------------------------------------------------------------------------------------------------

LYING = """\
import gc
from autograder.box.cells import Cells
mine = next(one for one in gc.get_objects() if isinstance(one, Cells))
mine.stopped += [9, -1, 0, 1 << 62, 6, 10_000] * 1_000
def honest(): return 1"""
LINES_6_TO_9 = (
    "def lost(): return 1\ndef lost_too(): return 1",
    "def kept(): return 1\ndef last(): return 1",
)


def test_security_a_lie_costs_what_it_is_about_and_nothing_else(begin: Begin, started: list[BoxClient]):
    boxes = begin(LYING, *LINES_6_TO_9)
    for hidden in (False, True):
        student = check(boxes, hidden=hidden)
        assert (student.honest(), student.kept()) == (1, 1)
        for name in ("lost", "lost_too", "last"):
            with pytest.raises(StudentRaised, match="CellStopped"):
                getattr(student, name)()
        boxes.end_check()
    assert [client._spec.stopped for client in started] == [(), (6, 9, 10_000), (6, 9, 10_000)]


WHERE_IT_RAN = ("ran = 0", "while True: ran = 1", "def add(a, b): return a + b if ran else None")


@sealed_only
@pytest.mark.parametrize("layer", [True, False])
def test_security_no_box_can_tell_by_a_loop_whether_a_hidden_check_asks(begin: Begin, monkeypatch, layer):
    """Code that is right where its loop has run: without the layer, the box of the public checks, and no other."""
    if not layer:
        learn_stopped = Boxes._learn_stopped

        def keep(self: Boxes, box: BoxClient) -> bool:
            with monkeypatch.context() as kept:
                kept.setattr(Boxes, "_close", lambda *_: None)
                learn_stopped(self, box)
            self._used[box.generation] = box
            return False

        monkeypatch.setattr(Boxes, "_learn_stopped", keep)
    boxes = begin(*WHERE_IT_RAN, isolation="namespaces")
    came = []
    for hidden in (False, True, True):
        came.append(check(boxes, hidden=hidden).add(2, 3))
        boxes.end_check()
    assert came == [None if layer else 5, None, None]
