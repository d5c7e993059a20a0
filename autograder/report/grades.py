"""The rows of `grade export`: who, what it came to, and the points of each task; for people in their language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from autograder.messages import text

if TYPE_CHECKING:
    from autograder.ledger.grades import Grade

_TASK = "task "


def grade_row(grade: Grade, earned: Mapping[str, float], *, anonymous: bool = False) -> dict[str, object]:
    """Return a student's row, as programs read it.

    Args:
        grade: of the student.
        earned: the points of each task.
        anonymous: with a pseudonym in place of who it is.
    """
    student, settled = grade.student, grade.settled
    who = {"pseudonym": student.pseudonym} if anonymous else {
        "id": student.id, "name": student.name, "email": student.email, "section": student.section
    }  # fmt: skip
    known = grade.attempt is not None or bool(grade.unreadable)
    return {
        **who,
        "score": _rounded(grade.score),
        "days_late": settled.days_late if settled else None,
        "late_penalty": _rounded(settled.penalty) if settled else None,
        "final": _rounded(grade.final),
        "max_points": grade.max_points,
        "status": _status(grade),
        "problem": grade.unreadable,
        "by_hand": "; ".join(decision.why for decision in grade.decisions),
        **{f"{_TASK}{task}": _rounded(points) if known else None for task, points in earned.items()},
    }


def in_words(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row with its columns and its status in the language in force; in English they are what they were."""
    return {_column(name): _worded(name, value) for name, value in row.items()}


def _column(name: str) -> str:
    if name.startswith(_TASK):
        return text("export.task", task=name.removeprefix(_TASK))
    return text(f"export.column.{name}")


def _worded(name: str, value: object) -> object:
    return text(f"export.status.{value}") if name == "status" else value


def _status(grade: Grade) -> str:
    if grade.settled is None:
        return "missing"
    if grade.settled.refused:
        return "too late"
    if grade.unreadable:
        return "unreadable"
    return grade.attempt.status if grade.attempt else "not graded yet"


def _rounded(points: float | None) -> float | None:
    return None if points is None else round(points, 2)
