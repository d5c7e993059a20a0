"""What never leaves the instructors' side, and the search for it in what students are given.

What is public is read from the public checks' source, not from a list that somebody keeps: a text in assignment.yml is
about a public check only if tests/ defines that check, a metric is public only if tests/ names it. What is not known to
be public is withheld.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from autograder.course import LoadedAssignment
from autograder.errors import ConfigError
from autograder.messages import text
from autograder.stub import regions

MIN_LINE = 20  # characters; shorter lines, such as `return model`, stand in everybody's code
_FORBIDDEN_FOLDERS = frozenset(["hidden", "solutions", "wrong", "__pycache__"])
_COMPILED = frozenset([".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib"])


class Source(NamedTuple):
    """What a folder of checks defines and says."""

    checks: frozenset[str]  # names of test functions
    texts: frozenset[str]  # every string constant


class Secret(NamedTuple):
    """A text that must not be in a bundle."""

    text: str
    where: str  # for the author: hw2_mlp/hidden/test_mlp_hidden.py:12


def public(assignment: LoadedAssignment) -> Source:
    """Return what an assignment's public checks define and say.

    Raises:
        ConfigError: one of them is not Python.
    """
    return _source(assignment.tests)


def hidden_checks(assignment: LoadedAssignment) -> frozenset[str]:
    """Return the names of the hidden checks, and of all that assignment.yml has texts about but tests/ doesn't have."""
    return _source(assignment.hidden).checks | (frozenset(assignment.spec.checks) - public(assignment).checks)


def hidden_metrics(assignment: LoadedAssignment) -> frozenset[str]:
    """Return the names of the metrics that no public check mentions."""
    return frozenset(assignment.spec.metrics) - public(assignment).texts


def find_leaks(
    files: Mapping[str, bytes], released: Sequence[LoadedAssignment], course: Sequence[LoadedAssignment]
) -> list[str]:
    """Search a bundle for what must not be in it, and return a sentence about each find.

    Args:
        files: the bundle's content by path.
        released: the assignments in the bundle.
        course: all assignments: the handout of one can give away another.
    """
    read = {name: content.decode() for name, content in files.items() if _is_text(content)}
    return [
        *(text("bundle.leak.name", file=name) for name in files if _is_forbidden(PurePosixPath(name))),
        *(leak for assignment in course for leak in _whole_files(files, assignment)),
        *(leak for assignment in released for leak in _names(read, assignment)),
        *(text("bundle.leak.line", file=name, source=secret.where) for name, secret in _lines(read, course)),
    ]


# --- names ----------------------------------------------------------------------------------------------------------


def _is_forbidden(path: PurePosixPath) -> bool:
    hidden = any(part in _FORBIDDEN_FOLDERS or part.startswith(".") for part in path.parts)
    return hidden or path.is_absolute() or path.suffix in _COMPILED


def _names(read: Mapping[str, str], assignment: LoadedAssignment) -> Iterator[str]:
    """Look for names of hidden checks and metrics, in the assignment's own files and in those about all."""
    checks, metrics = hidden_checks(assignment), hidden_metrics(assignment)
    for file, content in read.items():
        if file.startswith("assignments/") and not file.startswith(f"assignments/{assignment.folder.name}/"):
            continue
        # In prose, `accuracy` is a word; `accuracy_shifted` is a name.
        searched = checks | (frozenset(name for name in metrics if "_" in name) if file.endswith(".md") else metrics)
        for name in sorted(searched):
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", content):
                yield text("bundle.leak.mention", file=file, name=name)


# --- content --------------------------------------------------------------------------------------------------------


def _whole_files(files: Mapping[str, bytes], assignment: LoadedAssignment) -> Iterator[str]:
    """Look for the whole content of each hidden file, solution and wrong answer."""
    for folder in (assignment.hidden, assignment.solutions):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in _COMPILED:
                secret = path.read_bytes().replace(b"\r\n", b"\n").strip()
                for file, content in files.items():
                    if len(secret) >= MIN_LINE and secret in content:
                        yield text("bundle.leak.content", file=file, source=_where(path, folder))


def _lines(read: Mapping[str, str], course: Sequence[LoadedAssignment]) -> Iterator[tuple[str, Secret]]:
    """Look for lines of the hidden checks, and for pieces of the solutions' regions.

    A line that stands in a public check or outside the regions is public: both folders import the same names.
    """
    known = "\n".join(part for assignment in course for part in _known(assignment))
    secrets = [secret for assignment in course for secret in (*_hidden_lines(assignment), *_pieces(assignment))]
    wanted = [secret for secret in dict.fromkeys(secrets) if secret.text not in known]
    for file, content in read.items():
        # Without indentation and empty lines: a handout indents code by four more.
        bare = "\n".join(_bare(content))
        yield from ((file, secret) for secret in wanted if secret.text in bare)


def _known(assignment: LoadedAssignment) -> Iterator[str]:
    for path in sorted(assignment.tests.rglob("*.py")):
        yield "\n".join(_bare(_read(path)))
    for path in sorted(assignment.solutions.glob("*.py")):
        inside = {number for region in regions(_read(path)) for number, _ in region}
        lines = enumerate(_read(path).split("\n"), start=1)
        yield "\n".join(line.strip() for number, line in lines if number not in inside)


def _hidden_lines(assignment: LoadedAssignment) -> Iterator[Secret]:
    for path in sorted(assignment.hidden.rglob("*.py")):
        for number, line in enumerate(_read(path).split("\n"), start=1):
            # The quotes of a docstring would hide its sentence in a handout.
            bare = line.strip().removeprefix('"""').removesuffix('"""')
            if len(bare) >= MIN_LINE and not bare.startswith(("import ", "from ")) and set(bare) - set("#-= "):
                yield Secret(bare, f"{_where(path, assignment.hidden)}:{number}")


def _pieces(assignment: LoadedAssignment) -> Iterator[Secret]:
    """Yield each two neighbouring lines of a region; a single one may be a hint, such as `torch.manual_seed(seed)`."""
    for path in sorted(assignment.solutions.glob("*.py")):
        where = _where(path, assignment.solutions)
        for region in regions(_read(path)):
            lines = [(number, line.strip()) for number, line in region if line.strip()]
            if len(lines) == 1 and len(lines[0][1]) >= MIN_LINE:
                yield Secret(lines[0][1], f"{where}:{lines[0][0]}")
            for (number, one), (_, other) in pairwise(lines):
                if min(len(one), len(other)) >= MIN_LINE:
                    yield Secret(f"{one}\n{other}", f"{where}:{number}")


def _bare(content: str) -> list[str]:
    return [line for part in content.split("\n") if (line := part.strip())]


def _where(path: Path, folder: Path) -> str:
    return path.relative_to(folder.parent.parent).as_posix()


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


# --- source ---------------------------------------------------------------------------------------------------------


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _source(folder: Path) -> Source:
    checks: set[str] = set()
    texts: set[str] = set()
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(_read(path))
        except (SyntaxError, ValueError) as error:
            raise ConfigError(text("bundle.not_python", problem=error), file=path) from None
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                checks.add(node.name)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
    return Source(frozenset(checks), frozenset(texts))
