"""An nbgrader source notebook, read: which cells students write in, which of them test, and what each is worth."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from autograder.errors import UsageError
from autograder.messages import text
from autograder.notebook.cell_checks import Names, imports_of, names_in

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BEGIN_SOLUTION = re.compile(r"^(?P<indent>[ \t]*)#+ ?BEGIN SOLUTION.*$")
_END_SOLUTION = re.compile(r"^(?P<indent>[ \t]*)#+ ?END SOLUTION.*$")
_REGION = r"^[^\n]*BEGIN {name}.*?END {name}[^\n]*\n?"
_HIDDEN_LINE = re.compile(r"^[^\n]*(BEGIN|END) HIDDEN TESTS[^\n]*\n?", re.MULTILINE)
_HIDDEN, _SCHEME, _ANSWER = (
    re.compile(_REGION.format(name=name), re.MULTILINE | re.DOTALL)
    for name in ("HIDDEN TESTS", "MARK SCHEME", "SOLUTION")
)


@dataclass(frozen=True)
class GradedCell:
    """A cell that tests."""

    grade_id: str
    points: float
    public: str
    """What students have of it; empty where all of it is hidden."""
    whole: str

    @property
    def has_hidden(self) -> bool:
        """Whether students have less than the whole."""
        return self.public != self.whole


@dataclass
class SourceTask:
    """Solution cells that follow on one another, and the tests after them."""

    id: str
    names: list[str] = field(default_factory=list)
    tests: list[GradedCell] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What is to be written."""
        return ", ".join(self.names) or self.id


@dataclass
class Source:
    """What a notebook holds."""

    handout: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    """Of the solution file, a piece for each cell."""
    tasks: list[SourceTask] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    by_hand: list[str] = field(default_factory=list)
    """What a person has to look at, in words."""


def read_source(path: Path) -> Source:
    """Read an nbgrader source notebook.

    Raises:
        UsageError: it is no notebook, or none of its cells is tested by code.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    # Broad: nbformat raises whatever JSON, its schema and its converters raise.
    except Exception as error:  # noqa: BLE001
        raise UsageError(text("import.no_notebook", path=path, problem=str(error).split("\n")[0])) from None
    source = Source()
    for cell in notebook.cells:
        _take(source, cell, cell.metadata.get("nbgrader", {}))
    source.tasks = [task for task in source.tasks if task.tests]
    if not source.tasks:
        raise UsageError(text("import.no_tests", path=path), hint=text("import.no_tests_hint"))
    return source


def _take(source: Source, cell: Any, kind: dict[str, Any]) -> None:
    grade, solution = bool(kind.get("grade")), bool(kind.get("solution"))
    grade_id = str(kind.get("grade_id", ""))
    if (grade and solution) or kind.get("task"):
        source.by_hand.append(text("import.by_person", cell=grade_id, points=f"{float(kind.get('points', 0)):g}"))
    if cell.cell_type == "markdown" and not solution:
        # SECURITY: a cell that is answered in words holds the answer here, and a task how it is marked.
        source.handout.append(_ANSWER.sub("", _SCHEME.sub("", cell.source)).strip())
    elif cell.cell_type == "code" and solution:
        _take_solution(source, cell.source, grade_id, tested=not grade)
    elif cell.cell_type == "code" and grade:
        _take_test(source, cell.source, grade_id, float(kind.get("points", 0)))
    elif cell.cell_type == "code":
        _take_given(source, cell.source)


def _take_test(source: Source, code: str, grade_id: str, points: float) -> None:
    whole = _HIDDEN_LINE.sub("", code).strip("\n")
    public = _HIDDEN.sub("", code).strip("\n")
    if not points:
        source.by_hand.append(text("import.no_points", cell=grade_id))
        return
    if not source.tasks:
        source.tasks.append(SourceTask("1"))
    source.tasks[-1].tests.append(GradedCell(grade_id, points, public if _says_something(public) else "", whole))


def _says_something(code: str) -> bool:
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return True
    return any(not _is_text(node) for node in body)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _take_solution(source: Source, code: str, grade_id: str, *, tested: bool) -> None:
    """Take a cell that students write in; one that a person grades belongs to no task."""
    if tested and (not source.tasks or source.tasks[-1].tests):
        source.tasks.append(SourceTask(str(len(source.tasks) + 1)))
    try:
        tree = ast.parse(code)
    except SyntaxError:
        source.by_hand.append(text("import.solution_not_python", cell=grade_id))
        return
    functions = {node.name for node in tree.body if isinstance(node, _DEFINITIONS)}
    values = set(_module_stores(tree))
    source.names.callables |= functions
    source.names.values |= values
    source.names.imports |= dict(imports_of(tree.body))
    if tested:
        in_order = [node.name for node in tree.body if isinstance(node, _DEFINITIONS)]
        source.tasks[-1].names += [*in_order, *sorted(values)]
    source.code.append(with_regions(code, tree, f"Task {source.tasks[-1].id}: " if tested else "", grade_id))


def _module_stores(tree: ast.Module) -> Iterator[str]:
    """Yield what statements of the module itself assign to."""
    for node in tree.body:
        if not isinstance(node, _DEFINITIONS):
            yield from _names_of(node)


def with_regions(code: str, tree: ast.Module, label: str, grade_id: str) -> str:
    """Return a solution cell with our regions: nbgrader's where it has some, otherwise the bodies of its functions."""
    lines = code.split("\n")
    if not any(_BEGIN_SOLUTION.match(line) for line in lines):
        return _mark_bodies(lines, tree, label, grade_id)
    made = []
    for number, line in enumerate(lines, start=1):
        if begin := _BEGIN_SOLUTION.match(line):
            name = _name_at(tree, number) or grade_id
            made.append(f"{begin['indent']}# BEGIN SOLUTION ({label}{name})")
        elif end := _END_SOLUTION.match(line):
            made.append(f"{end['indent']}# END SOLUTION")
        else:
            made.append(line)
    return "\n".join(made)


def _name_at(tree: ast.Module, line: int) -> str:
    """Return the function around a line, or what the first statement after it defines."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    around = [node for node in functions if node.lineno <= line <= (node.end_lineno or node.lineno) + 1]
    if around:
        return max(around, key=lambda node: node.lineno).name
    after = next((node for node in tree.body if node.lineno > line), None)
    names = [node.id for node in ast.walk(after) if isinstance(node, ast.Name)] if after else []
    return getattr(after, "name", names[0] if names else "")


def _mark_bodies(lines: list[str], tree: ast.Module, label: str, grade_id: str) -> str:
    """Mark what nbgrader would take out of a cell without regions: all of it, but for what functions promise."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and _own_lines(node)]
    if not functions:
        begin = f"# BEGIN SOLUTION ({label}{_name_at(tree, 0) or grade_id})"
        return "\n".join([begin, *lines, "# END SOLUTION"])
    for node in sorted(functions, key=lambda one: one.lineno, reverse=True):
        body = _own_lines(node)
        first, indent = body[0].lineno - 1, " " * body[0].col_offset
        lines.insert(node.end_lineno or first, f"{indent}# END SOLUTION")
        lines.insert(first, f"{indent}# BEGIN SOLUTION ({label}{node.name})")
    return "\n".join(lines)


def _own_lines(node: ast.FunctionDef) -> list[ast.stmt]:
    """Return a function's body behind its docstring, where it has lines of its own."""
    body = node.body[1:] if _is_text(node.body[0]) else node.body
    return [one for one in body if one.lineno > node.lineno]


def _take_given(source: Source, code: str) -> None:
    """Take what no student writes in: definitions stay, what only shows something goes."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        source.by_hand.append(text("import.left_out", code=_first_line(code)))
        return
    kept = []
    for node in tree.body:
        needs_student = bool(names_in(node) & source.names.students)
        is_definition = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if isinstance(node, ast.Import | ast.ImportFrom):
            source.names.imports |= dict(imports_of([node]))
        elif is_definition or (isinstance(node, ast.Assign) and not needs_student):
            if not needs_student:
                source.names.given |= dict.fromkeys(_names_of(node), ast.unparse(node))
        else:
            if not _is_text(node):
                source.by_hand.append(text("import.left_out", code=_first_line(ast.unparse(node))))
            continue
        kept.append(ast.get_source_segment(code, node) or "")
    if kept:
        source.code.append("\n".join(kept))


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    return [name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]


def _first_line(code: str) -> str:
    return code.strip().split("\n")[0][:60]
