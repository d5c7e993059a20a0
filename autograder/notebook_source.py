"""A notebook's code cells as one module, in order, with the lines of each cell known.

IPython's own syntax is no error: magics and shell lines become comments, so that line numbers stay what they are.
"""

from __future__ import annotations

import re
import tokenize
import warnings
from typing import NamedTuple

from autograder.errors import UsageError
from autograder.messages import text
from autograder.quick_start import load_jsonschema
from autograder.submission import CellStart, decode

_MAGIC_LINE = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
_STATEMENT_MAGICS = frozenset(["%time", "%prun"])
_OPTIONS_WITH_VALUE = frozenset(["-l", "-s", "-T", "-D"])  # of %prun
_MOST_OPTIONS = 20  # before a statement
ASKS_FOR_CHECKS = "from autograder.notebook import check"
_CHECK_CALL = re.compile(r"check\([^()]*\)")
_ASSIGNED_NAMES = re.compile(r"[\w, \t]+")
# Cell magics whose body is Python that runs here; the body of any other (%%bash, %%html, …) is not Python.
_PYTHON_CELL_MAGICS = frozenset(["time", "timeit", "capture", "prun", "python", "python3", "grade"])


# SECURITY: of one notebook, to be looked through for where statements end: each line with a % looks at all lines since
# the last statement that has ended. A cell of 3 KB could keep the judge busy for a second, and a file holds thousands.
_MOST_CHARS = 2_000_000


class NotebookModule(NamedTuple):
    """A notebook as Python source."""

    source: str
    cells: tuple[CellStart, ...]


def notebook_to_module(content: bytes, name: str) -> NotebookModule:
    """Return the notebook's code cells as one module.

    Raises:
        UsageError: the file is not a notebook, or has no code cell.
    """
    lines: list[str] = []
    cells: list[CellStart] = []
    magics = _Magics()
    for source in _code_cells(content, name):
        cells.append(CellStart(len(lines) + 1, len(cells) + 1))
        lines += [] if _only_checks(source) else magics.taken_from(source)
    if not any(line.strip() for line in lines):
        raise UsageError(text("usage.empty_notebook", file=name), hint=text("usage.empty_file_hint"))
    return NotebookModule("\n".join(lines) + "\n", tuple(cells))


def _code_cells(content: bytes, name: str) -> list[str]:
    load_jsonschema()
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a missing cell id is of no interest here
            notebook = nbformat.reads(decode(content), as_version=4)
        return [_encodable(str(cell.source)) for cell in notebook.cells if cell.cell_type == "code"]
    # Broad: nbformat raises whatever its validators and json come upon in a damaged file.
    except Exception as error:  # noqa: BLE001
        looks_like_one = content.lstrip().startswith(b"{")
        hint = text("usage.bad_notebook_hint" if looks_like_one else "usage.no_notebook_hint")
        raise UsageError(text("usage.bad_notebook", file=name, problem=type(error).__name__), hint=hint) from None


def _encodable(source: str) -> str:
    """Return a cell with a replacement for each half of a surrogate pair.

    SECURITY: JSON can hold one, UTF-8 can't: one student's notebook would end the class run that reads it.
    """
    return source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _only_checks(source: str) -> bool:
    """Whether a cell only asks for the checks: it is no part of what is checked, and would check itself for ever."""
    lines = [line.strip() for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return ASKS_FOR_CHECKS in lines and all(line == ASKS_FOR_CHECKS or _CHECK_CALL.fullmatch(line) for line in lines)


class _Magics:
    """Takes IPython's own lines out of a notebook's cells."""

    def __init__(self) -> None:
        self._left = _MOST_CHARS

    def taken_from(self, source: str) -> list[str]:
        """Return a cell's lines without them."""
        lines = source.splitlines()
        first = next((line for line in lines if line.strip()), "")
        if first.startswith("%%"):
            magic = first[2:].split()[0] if first[2:].split() else ""
            if magic not in _PYTHON_CELL_MAGICS:
                return [f"# {line}" for line in lines]
        done: list[str] = []
        goes_on = False  # a shell command with a backslash at its end
        closed = 0  # lines of `done` up to which no statement goes on: they need not be looked at again
        for line in lines:
            is_magic = bool(_MAGIC_LINE.match(line)) and not goes_on and self._has_ended(done, closed)
            if is_magic:
                closed = len(done)
            done.append(f"# {line}" if goes_on else _replaced(line) if is_magic else _without_assigned_magic(line))
            goes_on = (goes_on or is_magic) and line.rstrip().endswith("\\")
        return done

    def _has_ended(self, done: list[str], closed: int) -> bool:
        """Whether the next line begins a statement; after too many looks none does."""
        if self._left <= 0:
            return False
        lines = done[closed:]
        self._left -= sum(map(len, lines)) + len(lines)  # an empty line is to be looked at, too
        return self._left > 0 and not _is_open(lines)


def _replaced(line: str) -> str:
    """Return what stands for a magic: the statement that %time and %prun run, else nothing."""
    indent, said = line[: len(line) - len(line.lstrip())], line.strip()
    return f"{indent}{_statement_of(said) or f'pass  # {said}'}"


def _statement_of(said: str) -> str:
    """Return the statement that a magic runs, behind its options; nothing for other magics."""
    magic, *rest = said.split(maxsplit=1)
    statement = rest[0] if rest and magic in _STATEMENT_MAGICS else ""
    for _ in range(_MOST_OPTIONS):
        if not statement.startswith("-"):
            return statement
        option, *rest = statement.split(maxsplit=2 if statement[:2] in _OPTIONS_WITH_VALUE else 1)
        is_apart = option in _OPTIONS_WITH_VALUE  # -l 10, and not -l10
        statement = " ".join(rest[1:] if is_apart else rest)
    return ""


def _without_assigned_magic(line: str) -> str:
    """Return `x = None` for `x = %magic` and `x = !command`, any other line as it is."""
    names, equals, said = line.partition("=")
    if equals and said.lstrip()[:1] in {"%", "!"} and _ASSIGNED_NAMES.fullmatch(names):
        return f"{names}= None"
    return line


def _is_open(lines: list[str]) -> bool:
    """Whether the next line goes on with a statement: inside brackets, in a long text, after a backslash.

    By tokens, not by parsing: this runs in the judge, and a parser can be made to overflow its stack.
    """
    if lines and lines[-1].rstrip().endswith("\\"):
        return True
    depth = 0
    try:
        for token in tokenize.generate_tokens(iter([f"{line}\n" for line in lines]).__next__):
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
    except tokenize.TokenError:  # the text or the bracket at the end is not closed
        return True
    except (SyntaxError, StopIteration):  # an error of the student's own, told when the module is imported
        return False
    return depth > 0
