"""A notebook's cells, run one after the other as a kernel runs them."""

from __future__ import annotations

import asyncio
import gc
import signal
import traceback
from types import ModuleType

import pytest

from autograder.box import advice
from autograder.box.cells import CellLimits, Cells, CellStopped

_loops: list[asyncio.AbstractEventLoop] = []  # that cells have awaited in, in the running test


def ran(*sources, time_s=0.0, known=()):
    starts, line = [], 1
    for source in sources:
        starts.append(line)
        line += source.count("\n") + 1
    limits, module = CellLimits(time_s, known), ModuleType("submission")
    cells = Cells("\n".join(sources), starts, "hw1.py", limits=limits)
    cells.run(module)
    if cells._loop is not None:
        _loops.append(cells._loop)
    return cells, module


@pytest.fixture(autouse=True)
def nothing_left():
    """In a box they end with it; here a note would be the next test's, and so would the warning of an open loop."""
    advice.take()
    yield
    advice.take()
    while _loops:
        _loops.pop().close()
        asyncio.set_event_loop(None)


def test_what_one_cell_raises_costs_it_and_no_other():
    cells, module = ran("a = 1", "b = a / 0\nc = 2", "def (", "import sys\nsys.exit(1)", "d = a + 1")
    assert (module.a, module.d) == (1, 2)
    assert not hasattr(module, "c")
    assert [type(one.error) for one in cells.raised] == [ZeroDivisionError, SyntaxError, SystemExit]
    value, syntax, exits = (one.detail for one in advice.take())
    assert value == "2 (b = a / 0): ZeroDivisionError: division by zero"
    assert syntax.startswith("3 (def (): SyntaxError: ")
    assert "line" not in syntax
    assert exits == "4 (sys.exit(1)): SystemExit: 1"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on Windows")
@pytest.mark.parametrize("loop", ["pass", "try: n += 1\n    except Exception: pass"])
def test_a_cell_that_never_ends_costs_itself_and_the_next_one_has_its_turn(loop):
    cells, module = ran("n = 0", f"m = 1\nwhile True:\n    {loop}", "while True: n += 1", "d = m + 1", time_s=1)
    assert (module.m, module.d) == (1, 2)
    assert [type(one.error) for one in cells.raised] == [CellStopped, CellStopped]
    first, second = advice.take()
    assert (first.kind, second.kind) == (advice.CELL_STOPPED, advice.CELL_STOPPED)
    assert first.detail.startswith("2 (")
    assert second.detail == "3 (while True: n += 1)"
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on Windows")
@pytest.mark.parametrize("loop", ["while True: n += 1", "def run():\n    while True: pass\nrun()", "x = [\n    run()]"])
def test_a_cell_that_another_box_has_stopped_ends_there_and_says_the_same(loop):
    sources = "n = 0", f"def run():\n    while True: pass\n{loop}\nm = 1", "d = n + 1"
    one, _ = ran(*sources, time_s=1)
    said = advice.take()
    other, module = ran(*sources, known=one.stopped)
    assert advice.take() == said
    assert other.stopped == one.stopped
    assert [type(one.error) for one in other.raised] == [CellStopped]
    assert (module.n, module.d, hasattr(module, "run"), hasattr(module, "m")) == (0, 1, True, False)


@pytest.mark.parametrize(
    ("known", "left"),
    [([1], "defg"), ([2], "adefg"), ([3], "adefg"), ([4, 5], "abdefg"), ([5], "abdefg"), ([6], "abc"), ([3, 6], "a"),
     ([7], "abcde"), ([8], "abcde"), ([10], "abcdef"), ([11, 99], "abcdefg")],
)  # fmt: skip
def test_of_a_stopped_cell_there_is_what_stands_before_the_statement(known, left):
    """By the lines: a decorator belongs to what it decorates; of two statements in one line it is the second."""
    sources = "a = 1\n@str\ndef b(): pass\nc = (\n1)", "d = 1\ne = 1; f = 1\n\n\ng = 1"
    _, module = ran(*sources, known=known)
    assert "".join(name for name in "abcdefg" if hasattr(module, name)) == left


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on Windows")
def test_what_an_earlier_cell_has_left_running_is_no_line_of_the_cell_that_is_stopped():
    left = (
        "import asyncio\nasync def on():\n    await asyncio.sleep(0.1)\n    while True: pass\n"
        "task = asyncio.create_task(on())\nawait asyncio.sleep(0)\na = 1"
    )
    sources = left, "await asyncio.sleep(9)\nb = 1", "c = 1"
    cells, module = ran(*sources, time_s=1)
    assert [type(one.error) for one in cells.raised] == [CellStopped]
    assert (hasattr(module, "a"), hasattr(module, "b"), hasattr(module, "c")) == (True, False, True)
    assert cells.stopped == []  # line 4 would take the first cell's end away, where it did not stand
    advice.take()
    assert type(module.task.exception()) is CellStopped
    cells._loop.close()
    del cells, module
    gc.collect()  # now: asyncio says in the log what was left of its tasks


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on Windows")
def test_a_cell_that_catches_the_interruption_is_interrupted_again():
    swallow = (
        "import time\ncaught = 0\nwhile not caught:\n    try: time.sleep(9)\n    except BaseException: caught += 1"
    )
    cells, module = ran(f"{swallow}\nwhile True: pass", "d = 1", time_s=4)
    assert (module.caught, module.d) == (1, 1)
    assert [type(one.error) for one in cells.raised] == [CellStopped]


def test_lines_are_those_of_the_file():
    cells, _ = ran("a = 1\nb = 2", "\nraise ValueError(a)", "x = (", "def f():\n    return missing", "f()")
    value, syntax, name = (one.error for one in cells.raised)
    assert traceback.extract_tb(value.__traceback__)[-1].lineno == 4
    assert syntax.lineno == 5
    assert [frame.lineno for frame in traceback.extract_tb(name.__traceback__)][-2:] == [8, 7]


def test_a_name_is_missing_because_of_the_cell_that_would_have_defined_it():
    cells, _ = ran("y = 1 / 0", "def f(x):\n    return x\nz = [][1]\ndef g(): pass", "class Model(torch.nn): pass")
    assert type(cells.blame("g")) is IndexError
    assert type(cells.blame("Model")) is ZeroDivisionError  # it lacked a name: the first cell's is told
    assert cells.blame("other") is None
    before = len(traceback.extract_tb(cells.blame("g").__traceback__))
    for _ in range(3):
        with pytest.raises(IndexError):
            raise cells.blame("g")
    assert len(traceback.extract_tb(cells.blame("g").__traceback__)) == before


def test_await_and_future_and_the_last_value_are_as_in_a_kernel():
    cells, module = ran(
        "from __future__ import annotations",
        "def f(x: Missing) -> Missing: return x",
        "import asyncio\nasync def later(x):\n    await asyncio.sleep(0)\n    return x",
        "task = asyncio.create_task(later(3))\nawait asyncio.sleep(0)",
        "x = await later(2)\nawait task",
        "y = _ + 1;\ny + 1",
        "y + 2;",
        "None",
    )
    assert [one.error for one in cells.raised] == []
    assert (module.x, module.y, module._) == (2, 4, 6)


def test_what_a_cell_shows_is_printed_but_not_behind_a_semicolon(capsys):
    ran("'a'", "1 + 1;", "x = 3", "x", "print('b')")
    assert capsys.readouterr().out == "'a'\n3\nb\n"


def test_security_an_exception_that_lies_about_itself_stops_nothing():
    source = "class Liar(Exception):\n    def __str__(self): raise SystemExit\nraise Liar"
    _, module = ran(source, "after = 1")
    assert module.after == 1
    assert [one.detail for one in advice.take()] == ["1: Exception"]
