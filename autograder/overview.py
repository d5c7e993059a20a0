"""`grade list`: the assignments of a course, when they are due, and what the student has so far."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from autograder import history
from autograder.course import LoadedCourse
from autograder.history import Attempt
from autograder.messages import Text


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Row(_Model):
    """One assignment."""

    id: str
    title: Text | None = Field(description="none: the course names it, but it is not here (yet)")
    due: datetime | None = Field(description="in the course's time zone")
    points: float | None
    best: Attempt | None = Field(description="of the attempts with all public checks")
    latest: Attempt | None
    attempts: int


class Overview(_Model):
    """What `grade list` shows."""

    course: str
    title: Text
    timezone: str
    assignments: tuple[Row, ...]


def overview(course: LoadedCourse) -> Overview:
    """Return the assignments in the order of course.yml, then those that only have a folder.

    Raises:
        ConfigError: an assignment.yml is wrong.
    """
    folders = course.assignment_folders()
    ids = dict.fromkeys([*(entry.id for entry in course.spec.assignments), *folders])
    return Overview(
        course=course.spec.id,
        title=course.spec.title,
        timezone=course.spec.timezone,
        assignments=tuple(_row(course, one, here=one in folders) for one in ids),
    )


def _row(course: LoadedCourse, assignment_id: str, *, here: bool) -> Row:
    spec = course.assignment(assignment_id).spec if here else None
    due = course.spec.due(assignment_id)
    best, latest, counted = history.summarise(history.attempts(course.folder, assignment_id))
    return Row(
        id=assignment_id,
        title=spec.title if spec else None,
        due=due.astimezone(ZoneInfo(course.spec.timezone)) if due else None,
        points=spec.points if spec else None,
        best=best,
        latest=latest,
        attempts=counted,
    )
