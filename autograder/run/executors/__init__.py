"""Where a class's attempts are made: on this machine, or by the workers of a cluster. One interface, two executors.

    executor.settle(assignment, asked) ──▶ Setting: what planning must know (options, isolation, versions)
    executor.open(at_once)             ──▶ Judges, as `judge.judges` has them: start, wait, result, close

Planning, retries and the ledger are the same for both and stay in this process: `run.grading` is the only one who
records, so a worker that dies can lose nothing and a late answer can double nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from autograder.course import LoadedAssignment
from autograder.judge.options import AttemptOptions
from autograder.run.room import Room

if TYPE_CHECKING:
    from autograder.judge.judges import Judges

Notice = Callable[[str], None]
"""Told in a sentence what the instructor should know while it goes on."""


class Asked(NamedTuple):
    """What was asked for on the command line."""

    device: str = "auto"
    isolation: str = "auto"
    jobs: int | None = None
    """Attempts at a time; None: as many as there is room for."""


class Setting(NamedTuple):
    """What attempts hang on beside submission and assignment, and how many there are at a time."""

    options: AttemptOptions
    isolation: str
    environment: Mapping[str, str]
    """The versions that numbers hang on, where the attempts are made (`keys.environment`)."""
    at_once: int


class Executor(ABC):
    """Has attempts made. A context manager: what still runs at the end is interrupted."""

    @abstractmethod
    def settle(self, assignment: LoadedAssignment, asked: Asked) -> Setting:
        """Find out what attempts at an assignment will be made with.

        Raises:
            UsageError: they can't be made as asked.
        """

    @abstractmethod
    def open(self, at_once: int) -> Judges:
        """Return judges for what was settled, for so many attempts at a time."""

    @abstractmethod
    def room(self, assignment: LoadedAssignment, options: AttemptOptions, at_once: int) -> Room:
        """Return the room for attempts on this machine; without an end where they are made elsewhere."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
