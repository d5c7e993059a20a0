"""The verdict corpus as a table: the hand-ins of submissions/corpus.yml, and courses in which they are graded."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from autograder.box.probe import probe
from autograder.results import Status

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "tests" / "submissions"


class HandIn(BaseModel):
    """One line of the table: a hand-in and what must come of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(description="a file or folder below submissions/; its first folder is the assignment's id")
    why: str = Field("", description="what the hand-in is about, where its name does not say it")
    assignment: str = Field("", description="where the file's first folder is not it")
    hidden: bool = Field(False, description="run the hidden checks too")
    isolation: Literal["", "process", "namespaces"] = Field("", description="asked for by name; else what is best")
    needs: Literal["", "torch", "tensorflow", "matplotlib"] = Field("", description="the framework that it imports")
    only: Literal["", "linux", "posix"] = Field("", description="the systems that have what it plays with")
    limits: dict[str, float] = Field({}, description="instead of the assignment's own")

    exit: int | None = Field(None, description="the exit code; otherwise 0 where the status is passed, else 1")
    status: Status | None = Field(None, description="the attempt's; left out where chance decides it")
    score: float | tuple[float, float] = Field(0.0, description="points, or the range that they lie in")
    checks: dict[Status, list[str]] = Field({}, description="status: names of checks, with * for any characters")
    others: Status | Literal["any"] = Field(Status.PASSED, description="of the checks not named, skipped ones apart")
    says: list[str] = Field([], description="texts that the student must read somewhere in the report")
    never_says: list[str] = Field([], description="texts that would mislead")
    prints: list[str] = Field([], description="texts in the output that was kept of the student's code")
    xfail: str = Field("", description="why grade does not do this yet")

    @property
    def id(self) -> str:
        return self.file + ("-hidden" if self.hidden else "") + (f"-{self.isolation}" if self.isolation else "")

    @property
    def homework(self) -> str:
        return self.assignment or self.file.split("/")[0]

    @property
    def exit_code(self) -> int:
        return self.exit if self.exit is not None else int(self.status is not Status.PASSED)

    @property
    def score_range(self) -> tuple[float, float]:
        return self.score if isinstance(self.score, tuple) else (self.score, self.score)

    @property
    def arguments(self) -> list[str]:
        """What a student types after `grade`, with JSON for an answer."""
        return [
            *("check", self.homework, f"submissions/{self.file}", "--json"),
            *(["--hidden"] if self.hidden else []),
            *(["--isolation", self.isolation] if self.isolation else []),
        ]

    def marks(self) -> Iterator[pytest.MarkDecorator]:
        if self.needs:
            yield getattr(pytest.mark, self.needs)
        if (self.only == "linux" and sys.platform != "linux") or (self.only == "posix" and sys.platform == "win32"):
            yield pytest.mark.skip(reason=f"for {self.only} only")
        if self.isolation == "namespaces" and probe().best != self.isolation:
            yield pytest.mark.skip(reason="no sealed boxes here")
        if self.xfail:
            yield pytest.mark.xfail(reason=self.xfail, strict=True)


def read_corpus() -> list[HandIn]:
    rows = yaml.safe_load((CORPUS / "corpus.yml").read_text(encoding="utf-8"))
    return [HandIn.model_validate(row) for row in rows]


HAND_INS = read_corpus()


class Courses:
    """Courses like the repository's own, with all hand-ins: one for each set of limits."""

    def __init__(self, folders: Callable[[str], Path]) -> None:
        self._folders = folders
        self.made: dict[str, Path] = {}

    def of(self, hand_in: HandIn) -> Path:
        limits = json.dumps([hand_in.homework, hand_in.limits]) if hand_in.limits else ""
        if limits not in self.made:
            self.made[limits] = _make_course(self._folders("课程 course"), hand_in)
        return self.made[limits]


def _make_course(folder: Path, hand_in: HandIn) -> Path:
    without_bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "assignments", folder / "assignments", ignore=without_bytecode)
    shutil.copytree(CORPUS, folder / "submissions", ignore=without_bytecode)
    shutil.copy(ROOT / "course.yml", folder)
    if hand_in.limits:
        (file,) = (folder / "assignments").glob(f"{hand_in.homework}_*/assignment.yml")
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
        settings["limits"] = settings.get("limits", {}) | hand_in.limits
        file.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return folder
