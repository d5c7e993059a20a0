"""`grade release`: what is made of the solutions, stubs and notebooks, and whether it is what it should be."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from autograder.course import LoadedAssignment
from autograder.errors import ConfigError
from autograder.messages import text
from autograder.notebook.generate import notebooks
from autograder.stub import make_stub


class StubState(StrEnum):
    """How a generated file stands to its solution."""

    FRESH = "fresh"
    STALE = "stale"
    WRITTEN = "written"


class Stub(NamedTuple):
    """A stub or a notebook that was compared or written."""

    path: Path
    state: StubState


def stubs(assignment: LoadedAssignment) -> dict[Path, str]:
    """Return what each stub of an assignment should read, by its path.

    Raises:
        ConfigError: a solution is missing or has no regions.
    """
    made: dict[Path, str] = {}
    for name in assignment.stub_names:
        solution = assignment.solutions / name
        if not solution.is_file():
            raise ConfigError(text("validate.no_solution", file=name), file=assignment.solutions)
        made[assignment.folder / name] = make_stub(solution.read_text(encoding="utf-8"), solution)
    return made


def release_stubs(assignment: LoadedAssignment, *, write: bool) -> list[Stub]:
    """Compare an assignment's stubs and notebooks with its solutions, and write those that are stale.

    Args:
        assignment: whose stubs and notebooks.
        write: write them; else only say which are stale.
    """
    done = []
    for path, wanted in (stubs(assignment) | notebooks(assignment)).items():
        fresh = path.is_file() and path.read_text(encoding="utf-8") == wanted
        if not fresh and write:
            path.write_text(wanted, encoding="utf-8", newline="\n")
        done.append(Stub(path, StubState.FRESH if fresh else StubState.WRITTEN if write else StubState.STALE))
    return done
