"""Attempts on this machine, which is what `grade run` does unless it is told otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.course import LoadedAssignment
from autograder.judge.options import AttemptOptions
from autograder.run.executors import Asked, Executor, Setting
from autograder.run.keys import environment
from autograder.run.options import options_for
from autograder.run.room import Room, attempts_at_once, room_for

if TYPE_CHECKING:
    from autograder.judge.judges import Judges


class LocalExecutor(Executor):
    """Judges of this machine."""

    def settle(self, assignment: LoadedAssignment, asked: Asked) -> Setting:
        """Choose the strictest isolation that works here."""
        options, isolation = options_for(assignment, asked.device, asked.isolation)
        return Setting(options, isolation, environment(), attempts_at_once(assignment, options, asked.jobs))

    def open(self, at_once: int) -> Judges:
        """Return warm judges, where this system can fork."""
        from autograder.judge.judges import open_judges

        return open_judges(at_once)

    def room(self, assignment: LoadedAssignment, options: AttemptOptions, at_once: int) -> Room:
        """Return what there is of memory and GPUs."""
        return room_for(assignment, options, at_once)

    def close(self) -> None:
        """Nothing is held between runs."""
