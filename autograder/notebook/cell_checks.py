"""A notebook's test cell as a check: its assertions, asked of the box instead of the notebook's own names.

Translated is what can be done by rule. What a test does beside calling the student's names and looking at what comes
(changing them, files, values that earlier cells left, partial credit by the last value) is for a person, and it is said
why.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from autograder.messages import text

_JUDGE_KNOWS = frozenset({"numpy", "pytest", *sys.stdlib_module_names})
_NOT_IN_A_CHECK = frozenset(
    {"input", "open", "exec", "eval", "globals", "locals", "vars", "compile", "__import__", "breakpoint"}
)
_SAYS_NOTHING = frozenset({"print"})
_AUTOTEST = "AUTOTEST"
_RAISES = "from autograder.judge import raises"


class NotTranslatable(Exception):
    """A person has to do it; the argument says why."""


@dataclass
class Names:
    """What a notebook's cells define, as far as checks may use it."""

    callables: set[str] = field(default_factory=set)
    """Functions and classes of solution cells."""
    values: set[str] = field(default_factory=set)
    """What else solution cells define."""
    imports: dict[str, str] = field(default_factory=dict)
    """Name → the statement that imports it."""
    given: dict[str, str] = field(default_factory=dict)
    """Name → its definition in a cell that no student writes in, where that needs nothing of a student's."""

    @property
    def students(self) -> set[str]:
        """All that students define."""
        return self.callables | self.values


class Translated(NamedTuple):
    """What a cell became."""

    title: str
    """Its docstring's first line; empty where it has none."""
    lines: list[str]
    """Of the check's body."""
    needed: list[str]
    """Statements that have to stand above the check, imports first."""


def translate(source: str, names: Names) -> Translated:
    """Return a test cell's source as the body of a check.

    Raises:
        NotTranslatable: a person has to do it.
    """
    if _AUTOTEST in source:
        raise NotTranslatable(text("import.autotest"))
    try:
        tree = ast.parse(source)
    except SyntaxError:
        raise NotTranslatable(text("import.not_python")) from None
    title, statements = _docstring(tree)
    if not statements:
        raise NotTranslatable(text("import.empty"))
    _refuse_partial_credit(statements[-1])
    scope = _Scope(tree, names)
    scope.check()
    lines: list[str] = []
    written = source.split("\n")
    ends = [title.end if title else 0, *(node.end_lineno or 0 for node in statements)]
    for (start, end), node in zip(pairwise(ends), statements, strict=True):
        if _is_print(node) or isinstance(node, ast.Import | ast.ImportFrom):
            continue
        raising = _raising(node)
        lines += scope.asked(raising) if raising else scope.replaced(written, start, end, node)
    return Translated(title.text if title else "", _trimmed(lines), scope.needed())


class _Title(NamedTuple):
    text: str
    end: int


def _docstring(tree: ast.Module) -> tuple[_Title | None, list[ast.stmt]]:
    first = tree.body[0] if tree.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        said = first.value.value.strip().split("\n")[0]
        return _Title(said, first.end_lineno or 0), tree.body[1:]
    return None, tree.body


def _refuse_partial_credit(last: ast.stmt) -> None:
    if not isinstance(last, ast.Expr) or _is_print(last):
        return
    called = last.value.func if isinstance(last.value, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    if not name.startswith("assert"):
        raise NotTranslatable(text("import.partial"))


def _is_print(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id in _SAYS_NOTHING
    )


class _Raising(NamedTuple):
    """Statements that must raise."""

    exception: str
    body: list[ast.stmt]


def _raising(node: ast.stmt) -> _Raising | None:
    """Return what a statement says that must raise: `try … except E: pass else: raise`, or `with …raises(E)`."""
    if isinstance(node, ast.Try) and len(node.handlers) == 1 and not node.finalbody:
        (handler,) = node.handlers
        passes = len(handler.body) == 1 and isinstance(handler.body[0], ast.Pass)
        complains = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.Raise | ast.Assert)
        if passes and complains and isinstance(handler.type, ast.Name):
            return _Raising(handler.type.id, node.body)
    if isinstance(node, ast.With) and len(node.items) == 1:
        call = node.items[0].context_expr
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("raises") and len(call.args) == 1:
            return _Raising(ast.unparse(call.args[0]), node.body)
    return None


class _Scope:
    """The names of one cell, and what each of them is."""

    def __init__(self, tree: ast.Module, names: Names) -> None:
        self._tree, self._names = tree, names
        self._asks_raising = False
        self._own_imports = dict(imports_of(tree.body))
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        stored = {node.id for node in found if isinstance(node.ctx, ast.Store)}
        self._local = stored | set(_defined_inside(tree))
        self._used = {node.id for node in found}

    def check(self) -> None:
        """Refuse what can't be translated.

        Raises:
            NotTranslatable: for the first such thing.
        """
        called = {id(node.func) for node in ast.walk(self._tree) if isinstance(node, ast.Call)}
        names = [node for node in ast.walk(self._tree) if isinstance(node, ast.Name)]
        for node in names:
            if node.id in self._names.students and not isinstance(node.ctx, ast.Load):
                raise NotTranslatable(text("import.changes", name=node.id))
        for node in names:
            if node.id in self._names.callables and id(node) not in called:
                raise NotTranslatable(text("import.not_called", name=node.id))
            self._check_known(node.id)
        for tried in ast.walk(self._tree):
            if isinstance(tried, ast.Try) and _raising(tried) is None:
                raise NotTranslatable(text("import.try", line=tried.lineno))

    def _check_known(self, name: str) -> None:
        if name in self._names.students or name in self._local or name in self._names.given:
            return
        statement = self._own_imports.get(name) or self._names.imports.get(name)
        if statement is not None:
            if not _judge_knows(statement):
                raise NotTranslatable(text("import.imports", statement=statement))
        elif name in _NOT_IN_A_CHECK or not hasattr(builtins, name):
            raise NotTranslatable(text("import.unknown", name=name))

    def replaced(self, written: list[str], start: int, end: int, node: ast.stmt) -> list[str]:
        """Return a statement with the comments above it, its student's names asked of the submission."""
        lines = [line.encode() for line in written[start:end]]
        for name in sorted(self._students_in(node), key=lambda one: (one.lineno, one.col_offset), reverse=True):
            at, column = name.lineno - 1 - start, name.col_offset
            lines[at] = lines[at][:column] + b"submission." + lines[at][column:]
        return [line.decode() for line in lines]

    def asked(self, raising: _Raising) -> list[str]:
        """Return statements that must raise, as a check sees that: by what the box says of an exception."""
        for node in raising.body:
            for name in self._students_in(node):
                name.id = f"submission.{name.id}"
        body = [f"    {line}" for node in raising.body for line in ast.unparse(node).split("\n")]
        self._asks_raising = True
        return [f'with raises("{raising.exception}"):', *body]

    def _students_in(self, node: ast.stmt) -> Iterator[ast.Name]:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id in self._names.students:
                yield inner

    def needed(self) -> list[str]:
        """Return what has to stand above the check."""
        wanted, seen = sorted(self._used - self._local - self._names.students), set[str]()
        imports, given = set[str](), []
        known = {**self._names.imports, **self._own_imports}
        while wanted:
            name = wanted.pop(0)
            if name in seen:
                continue
            seen.add(name)
            if name in known:
                imports.add(known[name])
            elif name in self._names.given:
                definition = self._names.given[name]
                given.append(definition)
                wanted += sorted(names_in(ast.parse(definition)))
        if self._asks_raising:
            imports.add(_RAISES)
        return [*sorted(imports), *sorted(given)]


def _defined_inside(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _judge_knows(statement: str) -> bool:
    (node,) = ast.parse(statement).body
    module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name  # type: ignore[attr-defined]
    return (module or "").split(".")[0] in _JUDGE_KNOWS


def imports_of(statements: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield the names that statements import, each with a statement that imports it alone."""
    for node in statements:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname or alias.name.split(".")[0]), ast.unparse(ast.Import([alias]))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name), ast.unparse(ast.ImportFrom(node.module, [alias], node.level))


def names_in(tree: ast.AST) -> set[str]:
    """Return the names that are read somewhere."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[0].strip():
        lines = lines[1:]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines
