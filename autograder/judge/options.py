"""How an attempt is asked for. Apart from what makes one, which whoever only plans need not import."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from autograder.box.grant import Grant
from autograder.course import LoadedAssignment
from autograder.judge.listener import Listener

DataChoice = Literal["embedded", "full"]


@dataclass(frozen=True)
class AttemptOptions:
    """How an attempt is run."""

    hidden: bool = False
    full: bool = False  # all seeds, as the class run does
    device: str = "auto"
    python: str | None = None  # an interpreter or an environment's folder to run the boxes with; None: grade's own
    isolation: str = "auto"  # the strictest there is
    grant: Grant | None = None  # of GPUs; None: the first there is, where the device may be one
    for_class: bool = False  # others' code: no isolation that is for trusted code only, unless it is named
    tasks: tuple[str, ...] = ()  # only these; empty: all
    checks: tuple[str, ...] = ()  # only these functions; empty: all
    data: DataChoice = "embedded"
    seeds: tuple[int, ...] = ()  # instead of the assignment's
    show_cells: bool = False  # the report has what a notebook's cells show
    listener: Listener = field(default_factory=Listener)


def private_folders(assignment: LoadedAssignment) -> tuple[Path, ...]:
    """Return the folders of an assignment, and of whoever checks it, that no closed box may show."""
    return (assignment.folder, assignment.root, Path.home())
