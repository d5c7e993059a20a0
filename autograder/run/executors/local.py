"""Attempts on this machine, which is what `grade run` does unless it is told otherwise."""

from __future__ import annotations

import os

from autograder.course import LoadedAssignment
from autograder.judge.judges import Judges, open_judges
from autograder.run.executors import Asked, Executor, Setting
from autograder.run.keys import environment
from autograder.run.options import options_for


class LocalExecutor(Executor):
    """Judges of this machine."""

    def settle(self, assignment: LoadedAssignment, asked: Asked) -> Setting:
        """Choose the strictest isolation that works here."""
        options, isolation = options_for(assignment, asked.device, asked.isolation)
        return Setting(options, isolation, environment(), asked.jobs or os.cpu_count() or 1)

    def open(self, at_once: int) -> Judges:
        """Return warm judges, where this system can fork."""
        return open_judges(at_once)

    def close(self) -> None:
        """Nothing is held between runs."""
