"""What a box is given, whichever backend starts it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from autograder.box import plain
from autograder.box.grant import NO_GPU, Grant
from autograder.box.interpreter import Interpreter, ours
from autograder.limits import Limits


@dataclass(frozen=True)
class BoxSpec:
    """What a box is given: the submission, and what it may use."""

    files: dict[str, bytes]
    main: str
    frameworks: tuple[str, ...]  # those that the submission imports
    device: str = "auto"
    limits: Limits = field(default_factory=Limits)
    notebook: bool = False
    cells: tuple[int, ...] = ()  # of a notebook: the lines of `main` that they begin at
    show_cells: bool = False  # what they print and draw is asked for
    stopped: tuple[int, ...] = ()  # lines that they were stopped at in another box: not waited for again
    is_held: bool = False  # the files wait for `BoxClient.load`
    python: Interpreter = field(default_factory=ours)
    isolation: str = plain.ISOLATION
    grant: Grant = NO_GPU
    datasets: dict[str, Path] = field(default_factory=dict)  # mounted: the folder of each one's .gz files
