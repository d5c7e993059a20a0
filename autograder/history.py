"""What was tried before: each attempt of `grade check`, kept in `.grade/` of the course's folder.

    .grade/.gitignore                             nothing of it is ever committed
    .grade/attempts/hw2/20261122T023001-….json    one file an attempt: two gradings at once can't lose one
    .grade/started.json                           what `grade start` wrote (autograder/start.py)

A convenience of the student's, never evidence: everyone can write there. A record that can't be written is not written;
a file that can't be read, or isn't ours, is passed over and never removed.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from autograder.results import CheckResult, Report, Status

FOLDER = ".grade"
KEPT = 100  # attempts of one assignment; the best one stays in any case
MAX_BYTES = 256 << 10  # of one record: an honest one has about 10 KiB
_NAME = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}\.json")


class Scope(StrEnum):
    """Which checks an attempt was about. Only `public` ones compare with each other."""

    PUBLIC = "public"
    FULL = "full"  # all seeds, or the whole dataset: its metrics have other values, on the data other thresholds too
    PART = "part"  # some tasks only
    HIDDEN = "hidden"  # an instructor's, with the hidden checks


class Attempt(BaseModel):
    """One attempt as it is kept. What later versions add to it is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")

    version: Literal[1] = 1
    scope: Scope
    assignment: str
    submission: str
    started_at: AwareDatetime
    status: Status
    score: float = Field(ge=0, allow_inf_nan=False)
    max_points: float = Field(ge=0, allow_inf_nan=False)

    @property
    def share(self) -> float:
        """The part of the points that was earned."""
        return self.score / self.max_points if self.max_points else 0.0


class _Record(Attempt):
    report: Report = Field(description="as a student may see it, without what the code printed")


class Summary(NamedTuple):
    """What a student has so far: attempts with all public checks as plain `grade check` runs them, none our fault."""

    best: Attempt | None
    latest: Attempt | None
    counted: int


def record(course: Path, report: Report, scope: Scope) -> Path | None:
    """Keep an attempt; return its file, or None where it can't be written: grading goes on without.

    Args:
        course: the course's folder.
        report: what the attempt came to.
        scope: which checks it was about.
    """
    folder = _attempts_folder(course, report.assignment)
    try:
        prepare(course)
        folder.mkdir(parents=True, exist_ok=True)
        # The random part tells apart two gradings that end in the same instant.
        path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
        write_whole(path, _as_json(report, scope).encode())
        _drop_old(folder)
    except OSError:
        return None
    return path


def attempts(course: Path, assignment_id: str) -> list[Attempt]:
    """Return the attempts that are kept of an assignment, oldest first."""
    found = (_read(path) for path in _records(_attempts_folder(course, assignment_id)))
    return [attempt for attempt in found if attempt is not None and attempt.assignment == assignment_id]


def summarise(kept: list[Attempt]) -> Summary:
    """Return the best and the latest of the attempts that count, which come oldest first."""
    counted = [attempt for attempt in kept if attempt.scope is Scope.PUBLIC and attempt.status is not Status.INTERNAL]
    return Summary(
        best=max(counted, key=lambda attempt: attempt.share, default=None),
        latest=counted[-1] if counted else None,
        counted=len(counted),
    )


def prepare(course: Path) -> Path:
    """Return `.grade/` of the course, made where it is missing, with a .gitignore of its own.

    Raises:
        OSError: it can't be made.
    """
    folder = course / FOLDER
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError), (folder / ".gitignore").open("xb") as file:
        file.write(b"*\n")
    return folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds all of it or nothing."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


# --- one folder of records ------------------------------------------------------------------------------------------


def _attempts_folder(course: Path, assignment_id: str) -> Path:
    return course / FOLDER / "attempts" / assignment_id


def _as_json(report: Report, scope: Scope) -> str:
    shown = report.redacted()
    shown = shown.model_copy(update={"checks": tuple(_without_output(check) for check in shown.checks)})
    record = _Record(
        scope=scope,
        assignment=report.assignment,
        submission=report.submission,
        started_at=datetime.fromisoformat(report.started_at),
        status=report.status,
        score=report.score,
        max_points=report.max_points,
        report=shown,
    )
    kept = record.model_dump_json()
    # Messages quote the student's values, and those can be long: then the totals alone are kept.
    return kept if len(kept.encode()) <= MAX_BYTES else record.model_dump_json(exclude={"report"})


def _without_output(check: CheckResult) -> CheckResult:
    return check.model_copy(update={"stdout_tail": ""})


def _records(folder: Path) -> list[Path]:
    """Return the files that are ours by name, oldest first."""
    try:
        return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except OSError:
        return []


def _read(path: Path) -> Attempt | None:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        return Attempt.model_validate_json(content) if len(content) <= MAX_BYTES else None
    except (OSError, ValidationError):
        return None


def _drop_old(folder: Path) -> None:
    paths = _records(folder)
    if len(paths) <= KEPT:
        return
    # What can't be read is not counted either: it is somebody else's.
    read = [(path, attempt) for path in paths if (attempt := _read(path)) is not None]
    best = summarise([attempt for _, attempt in read]).best
    for path, attempt in read[: max(len(read) - KEPT, 0)]:
        if attempt is not best:
            path.unlink(missing_ok=True)
