"""A notebook's code cells run one after the other in one module, as a kernel runs them (inside the box).

What one cell raises does not keep the next from running, as in a kernel that runs all cells: an experiment that was
left behind costs nothing but itself. It is told when a name is asked for that is not there for it. `await` stands at
the top level, a `from __future__` holds for the cells that follow, and what a cell's last line comes to is shown.

A cell that doesn't end is stopped, and told with the line that it stood at. What another box has told is not waited for
again: there the cell ends before the statement that it stood in.

The standard library only, and by Python 3.9 too.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import re
import signal
import traceback
from collections.abc import Sequence
from time import monotonic
from types import FrameType, ModuleType, TracebackType
from typing import Any, NamedTuple

from autograder.box import advice
from autograder.box.screen import Screen

_SHARE = 0.5  # of the time that is left, which a cell may take: what comes after it is to have its turn
_AGAIN_S = 1.0  # a cell may catch the first interruption
_MOST_OF_A_LINE = 60
_MOST_RAISED = 50  # kept: each keeps what its frames hold
_LAST = "__last__"  # what the last line of the running cell comes to
_FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
_DEFINITION = r"^(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|^{name}[ \t]*[:=]"


class RaisedInCell(NamedTuple):
    """What a cell raised."""

    source: str
    error: BaseException
    trace: TracebackType | None


class CellLimits(NamedTuple):
    """What a notebook's cells are stopped by."""

    time_s: float = 0
    """That they may take together; 0: nobody stops them here."""
    known: Sequence[int] = ()
    """The lines, in order, that another box has stopped cells at."""


class CellStopped(KeyboardInterrupt):
    """A cell has taken too long; as what a kernel's stop button raises, no `except Exception` catches it."""


class Cells:
    """The cells of one notebook.

    Args:
        source: of the module that they make.
        starts: the line that each begins at, from 1.
        path: of the module's file, for tracebacks.
        screen: what they are shown on; None: on one that nobody looks at.
        limits: that they are stopped by; None: nobody stops them here.
    """

    def __init__(
        self, source: str, starts: list[int], path: str, screen: Screen | None = None, limits: CellLimits | None = None
    ) -> None:
        lines = source.split("\n")
        ends = [start - 1 for start in starts[1:]] + [len(lines)]
        # With the lines above it left empty: a traceback then names the line of the file.
        self._sources = ["\n" * (start - 1) + "\n".join(lines[start - 1 : end]) for start, end in zip(starts, ends)]
        self._starts, self._path = starts, path
        self._screen = screen or Screen()
        self._limits = limits or CellLimits()
        self._is_running = False  # a cell, and nothing of ours
        self._flags = 0
        self._loop: Any = None
        self.raised: list[RaisedInCell] = []
        self.stopped: list[int] = []  # the lines that cells stood at

    def run(self, module: ModuleType) -> None:
        """Run all cells, whatever those before have come to."""
        end = monotonic() + self._limits.time_s
        for number, source in enumerate(self._sources, start=1):
            self._screen.begin_cell()
            try:
                self._begin_time(end - monotonic())
                self._run_one(source, vars(module))
                self._is_running = False
            # Broad on purpose, as the worker's: SystemExit and KeyboardInterrupt end a cell and not the kernel.
            except BaseException as error:  # noqa: BLE001
                self._is_running = False
                if len(self.raised) < _MOST_RAISED:
                    self.raised.append(RaisedInCell(source, error, error.__traceback__))
                kind = advice.CELL_RAISED
                if isinstance(error, CellStopped):
                    kind = advice.CELL_STOPPED
                    line = _line_number(error, self._path) or 0
                    # Not where an earlier cell had left it running: the line is none of this one's statements.
                    self.stopped += [line] if line >= self._starts[number - 1] else []
                advice.note(kind, f"{number}{_in_a_line(error, source, self._path)}")
            self._screen.end_cell()
        self._begin_time(0)
        self._screen.close()

    def blame(self, name: str) -> BaseException | None:
        """Return what a cell raised, where that may be why the module has no such name.

        It is what the cell raised that would have defined it; but where that cell only lacked a name itself, the first
        one: an import that failed, for most.
        """
        defining = re.compile(_DEFINITION.format(name=re.escape(name)), re.MULTILINE)
        found = next((one for one in self.raised if defining.search(one.source)), None)
        if found is None:
            return None
        if type(found.error) is NameError:
            found = self.raised[0]
        # Raised anew, it would gain a frame each time.
        return found.error.with_traceback(found.trace)

    def _begin_time(self, left_s: float) -> None:
        """Have the cell that begins stopped in time; none, where nothing is left.

        SECURITY: the student's code can take the alarm away, and a loop in C does not hear it. Then the judge ends the
        box, as it would without: what this is for is that an experiment with an endless loop costs itself only.
        """
        if not self._limits.time_s or not hasattr(signal, "setitimer"):  # as on Windows
            return
        if left_s > 0:
            signal.signal(signal.SIGALRM, self._stop)
        signal.setitimer(signal.ITIMER_REAL, max(left_s * _SHARE, 0), _AGAIN_S if left_s > 0 else 0)
        self._is_running = left_s > 0

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_running:
            raise CellStopped

    def _run_one(self, source: str, names: dict[str, Any]) -> None:
        tree = compile(source, self._path, "exec", self._flags + ast.PyCF_ONLY_AST, dont_inherit=True)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            # In the same code as the rest: where one part of a cell awaits, all of it runs in the loop.
            kept = ast.copy_location(ast.Name(_LAST, ast.Store()), last)
            tree.body[-1] = ast.copy_location(ast.Assign([kept], last.value), last)
        stopped = self._leave_out(tree)
        code = compile(tree, self._path, "exec", self._flags + ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        self._flags |= code.co_flags & _FUTURES
        made = eval(code, names)  # noqa: S307 - the student's code is what a box is for
        if code.co_flags & inspect.CO_COROUTINE:
            self._event_loop().run_until_complete(made)
        value = names.pop(_LAST, None)
        if value is not None:
            names["_"] = value
            if not source.rstrip().endswith(";"):
                self._screen.show_value(value)
        if stopped:
            self._stop_at(stopped)

    def _leave_out(self, tree: ast.Module) -> int:
        """Take from a cell the statement that it was stopped in elsewhere, and what follows; return the line there.

        By whole statements of the cell: what an endless loop has done by then is by chance, and what stands before it,
        often a definition, is not.
        """
        for line in self._limits.known:
            begun = [number for number, part in enumerate(tree.body) if _first_line(part) <= line]
            if begun and line <= (tree.body[-1].end_lineno or 0):
                del tree.body[begun[-1] :]
                return line
        return 0

    def _stop_at(self, line: int) -> None:
        """Stop the cell as if it stood there: what is told of it then is the same."""
        code = compile("\n" * (line - 1) + "raise CellStopped", self._path, "exec")
        exec(code, {"CellStopped": CellStopped})  # noqa: S102 - two words of ours

    def _event_loop(self) -> Any:
        """Return the loop that all cells await in: what one has started, another can wait for."""
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop


def _in_a_line(error: BaseException, source: str, path: str) -> str:
    """Return the cell's line that raised, and what: students look for it, not for a number that they can't see."""
    try:
        if isinstance(error, CellStopped):
            return _line_of(error, source, path)
        # Of a SyntaxError without its line's number, which is that of a file that no student sees.
        said = error.msg if isinstance(error, SyntaxError) and error.filename == path else error
        return f"{_line_of(error, source, path)}: {type(error).__name__}: {said}".split("\n", 1)[0]
    except BaseException:  # noqa: BLE001 - __str__ is the student's code, and may even exit
        return ": Exception"


def _first_line(part: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(part, "decorator_list", [])
    return min([part.lineno, *(decorator.lineno for decorator in decorators)])


def _line_number(error: BaseException, path: str) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    steps = traceback.walk_tb(error.__traceback__)
    return next((line for frame, line in steps if frame.f_code.co_filename == path), None)


def _line_of(error: BaseException, source: str, path: str) -> str:
    number = _line_number(error, path)
    lines = source.split("\n")
    line = lines[number - 1].strip() if type(number) is int and 0 < number <= len(lines) else ""
    return f" ({line[:_MOST_OF_A_LINE]})" if line else ""
