"""What each check of an assignment hangs on, told by its source: after a change only what it touches is run again.

The unit is a test function, in what the interpreter makes of it: a comment is no change. Beside its own code a check
hangs on

- the rest of its file: imports, constants, fixtures, functions that are no tests,
- every other file in tests/ and hidden/: conftest.py, tables, modules that checks import,
- what all attempts of a run have in common (`keys`),
- and on the checks that it names in `needs`: these are run with it, and with one that was changed whatever needs it.

Where functions can't be told apart the file is the unit: a test that is used by other code, `global`, a fixture that
lives longer than one test. Where files can't be (one imports another, conftest.py has such a fixture), all of them
together are. Where a test may be anything but a function of its file (in a class, imported, made by a loop), or names
its needs by anything but plain texts, there are no units: then everything is run.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from autograder.course import LoadedAssignment
from autograder.run.keys import files_sha256

Function = ast.FunctionDef | ast.AsyncFunctionDef


_MAKE_NAMES = {"globals", "vars", "setattr", "exec"}


class Unit(NamedTuple):
    """One test function."""

    sha256: str
    """Of all that its result hangs on, beside the submission and the checks that it needs."""
    needs: frozenset[str]


@dataclass(frozen=True)
class Suite:
    """The test functions of an assignment by their names, in the order that they are run in; none: can't be told."""

    units: Mapping[str, Unit]

    def to_run(self, known: Mapping[str, str]) -> frozenset[str]:
        """Return the functions that have to be run.

        Args:
            known: the hashes under which results are known, by the function.
        """
        run = {name for name, unit in self.units.items() if known.get(name) != unit.sha256}
        while more := {name for name, unit in self.units.items() if name not in run and unit.needs & run}:
            run |= more
        while more := {need for name in run for need in self.units[name].needs} - run:
            run |= more
        return frozenset(run)


class _File(NamedTuple):
    """A file of checks."""

    stem: str
    tests: tuple[Function, ...]
    rest: str
    """What is no test, as the interpreter reads it."""
    is_one: bool
    """Whether its tests can't be told apart."""


class _Unclear(Exception):
    """What a check hangs on can't be told."""


def suite_of(assignment: LoadedAssignment, conditions: str) -> Suite:
    """Read the checks of an assignment.

    Args:
        assignment: whose.
        conditions: a hash of what all attempts have in common, but for the files of the checks.
    """
    try:
        return _suite(assignment, conditions)
    except (_Unclear, SyntaxError, ValueError, OSError):
        return Suite({})


def _suite(assignment: LoadedAssignment, conditions: str) -> Suite:
    paths = [path for folder in (assignment.tests, assignment.hidden) for path in sorted(folder.rglob("test_*.py"))]
    files = [_file(path) for path in paths]
    around = files_sha256(assignment, assignment.tests, assignment.hidden, but=frozenset(paths))
    if _are_one(files, assignment):
        around = _hash(around, *(ast.dump(ast.parse(path.read_bytes())) for path in paths))
    units: dict[str, Unit] = {}
    for file in files:
        together = [ast.dump(test) for test in file.tests] if file.is_one else []
        for test in file.tests:
            sha256 = _hash(conditions, around, file.stem, file.rest, *together, ast.dump(test))
            units[test.name] = Unit(sha256, frozenset(_needs(test)))
    if len(units) != sum(len(file.tests) for file in files) or any(one.needs - units.keys() for one in units.values()):
        raise _Unclear
    return Suite(units)


def _file(path: Path) -> _File:
    module = ast.parse(path.read_bytes())
    tests = [node for node in module.body if isinstance(node, Function) and node.name.startswith("test_")]
    rest = [node for node in module.body if node not in tests]
    names = {test.name for test in tests}
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)} & names
    if any(_may_make_tests(node) for node in rest):
        raise _Unclear
    shares = any(isinstance(node, ast.Global | ast.Nonlocal) for node in ast.walk(module))
    is_one = bool(used) or shares or _has_lasting_fixture(module) or len(names) < len(tests)
    return _File(path.stem, tuple(tests), _hash(*map(ast.dump, rest)), is_one)


def _may_make_tests(node: ast.stmt) -> bool:
    """Whether a statement may make tests that are no functions of the file: pytest takes whatever has such a name."""
    if isinstance(node, Function):
        return False
    if isinstance(node, ast.ClassDef):
        return node.name.startswith("Test")
    parts = list(ast.walk(node))
    stored = {part.id for part in parts if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)}
    loaded = {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    defined = {part.name for part in parts if isinstance(part, Function)}
    imported = {part.asname or part.name for part in parts if isinstance(part, ast.alias)}
    named = stored | defined | imported
    return "*" in imported or bool(loaded & _MAKE_NAMES) or any(name.startswith("test_") for name in named)


def _are_one(files: Iterable[_File], assignment: LoadedAssignment) -> bool:
    """Whether not even the files can be told apart."""
    stems = Counter(file.stem for file in files)
    for folder in (assignment.tests, assignment.hidden):
        for path in folder.rglob("*.py"):
            module = ast.parse(path.read_bytes())
            if stems.keys() & _imported(module) or (path.stem not in stems and _has_lasting_fixture(module)):
                return True
    return max(stems.values(), default=0) > 1


def _imported(module: ast.Module) -> set[str]:
    """Return every part of the name of whatever is imported."""
    names = [alias.name for node in ast.walk(module) if isinstance(node, ast.Import) for alias in node.names]
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return {part for name in names for part in name.split(".")}


def _has_lasting_fixture(module: ast.Module) -> bool:
    """Whether something is made once for several tests; `scope` is said of nothing else in such files."""
    return any(
        keyword.arg == "scope" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value == "function")
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
    )


def _needs(test: Function) -> Iterator[str]:
    for decorator in test.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.keyword) and node.arg == "needs":
                for name in cast("Iterable[object]", ast.literal_eval(node.value)):  # ValueError: no plain texts
                    yield str(name).partition("[")[0]
            elif isinstance(node, ast.keyword) and node.arg is None:  # **kwargs
                raise _Unclear


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def function_of(check_id: str) -> str:
    """Return the name of a check's function: of test_sums::test_add[2] test_add."""
    return check_id.partition("::")[2].partition("[")[0]
