"""Errors for people: what was expected, what came, what to try. The command line prints them without a traceback."""

from __future__ import annotations

from pathlib import Path


class GradeError(Exception):
    """A problem the user can do something about; `exit_code` is what `grade` ends with (DESIGN §8)."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(GradeError):
    """The command can't be carried out as given: no such assignment or file, two candidates, no framework."""


class ConfigError(GradeError):
    """course.yml, assignment.yml, expect.yml or a check's marker is wrong; says file, line and key."""

    def __init__(
        self, message: str, *, file: Path | None = None, line: int | None = None, key: str = "", hint: str | None = None
    ) -> None:
        where = "" if file is None else str(file) + (f":{line}" if line else "")
        parts = [part for part in (where, key) if part]
        super().__init__(": ".join([*parts, message]), hint=hint)
        self.file, self.line, self.key = file, line, key


class RunInterruptedError(GradeError):
    """Somebody ended a run, which can go on later."""

    exit_code = 130


class InternalError(GradeError):
    """Our own fault. Never the student's: nothing is scored, and it reads "not graded yet"."""

    exit_code = 3
