"""The `points` marker: read from a check, compared with assignment.yml, explained to its author where it is wrong."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.assignment import POINTS_TOLERANCE
from autograder.course import ASSIGNMENT_FILE, LoadedAssignment
from autograder.errors import ConfigError
from autograder.messages import Text, text

if TYPE_CHECKING:
    import pytest

USAGE = '@pytest.mark.points(10, task="2.1", needs=["test_other"])'


@dataclass(frozen=True)
class CheckSpec:
    """A check as its marker and docstring declare it."""

    id: str  # test_file::test_name
    name: str
    task: str
    points: float
    needs: tuple[str, ...]
    hidden: bool
    title: Text
    hint: str


def read_check(item: pytest.Function, assignment: LoadedAssignment) -> CheckSpec:
    """Return the check that a test function declares.

    Raises:
        ConfigError: no marker or a wrong one, no docstring, an unknown task.
    """
    function, path = item.function, item.path

    def wrong(problem: str) -> ConfigError:
        line = inspect.unwrap(function).__code__.co_firstlineno
        return ConfigError(problem, file=path, line=line, key=item.name, hint=text("check.marker_usage", usage=USAGE))

    marker = item.get_closest_marker("points")
    if marker is None:
        raise wrong(text("check.no_marker"))
    unknown = set(marker.kwargs) - {"task", "needs"}
    if len(marker.args) != 1 or unknown or "task" not in marker.kwargs:
        raise wrong(text("check.bad_marker", came=_shown(marker)))
    points, task, needs = marker.args[0], marker.kwargs["task"], marker.kwargs.get("needs", ())
    # Not `points <= 0`: that is false of NaN.
    if isinstance(points, bool) or not isinstance(points, int | float) or not points > 0:
        raise wrong(text("check.bad_points", came=repr(points)))
    if assignment.spec.task(str(task)) is None:
        raise wrong(text("check.bad_task", task=task, known=", ".join(known.id for known in assignment.spec.tasks)))
    if not isinstance(needs, list | tuple) or not all(isinstance(name, str) for name in needs):
        raise wrong(text("check.bad_needs", came=repr(needs)))
    sentence = inspect.getdoc(function)
    if not sentence:
        raise wrong(text("check.no_docstring"))
    texts = assignment.spec.checks.get(item.originalname)
    return CheckSpec(
        id=f"{path.stem}::{item.name}",
        name=item.name,
        task=str(task),
        points=float(points),
        needs=tuple(needs),
        hidden=path.resolve().is_relative_to(assignment.hidden),
        title=Text(sentence.splitlines()[0], texts.zh if texts else None),
        hint=str(texts.hint) if texts and texts.hint else "",
    )


def _shown(marker: pytest.Mark) -> str:
    arguments = [repr(value) for value in marker.args] + [f"{name}={value!r}" for name, value in marker.kwargs.items()]
    return f"points({', '.join(arguments)})"


def compare_with_assignment(checks: Iterable[CheckSpec], assignment: LoadedAssignment, *, with_hidden: bool) -> None:
    """Compare the checks of an assignment with its assignment.yml.

    Args:
        checks: all of the public ones; with `with_hidden`, all of the hidden ones too.
        assignment: the assignment.
        with_hidden: whether hidden checks were collected; a student doesn't have them.

    Raises:
        ConfigError: points don't add up, a name twice, `needs` or `checks:` name a check that is not there.
    """
    found = list(checks)
    file = assignment.folder / ASSIGNMENT_FILE
    _compare_names(found, assignment, file, with_hidden=with_hidden)
    sums: dict[tuple[str, bool], float] = defaultdict(float)
    for check in found:
        sums[check.task, check.hidden] += check.points
    for task in assignment.spec.tasks:
        declared = {False: task.points.public, True: task.points.hidden}
        for hidden in (False, True) if with_hidden else (False,):
            came = sums[task.id, hidden]
            if abs(declared[hidden] - came) > POINTS_TOLERANCE:
                key = "check.hidden_points_sum" if hidden else "check.public_points_sum"
                problem = text(key, task=task.id, declared=f"{declared[hidden]:g}", found=f"{came:g}")
                raise ConfigError(problem, file=file, key="tasks")


def _compare_names(found: list[CheckSpec], assignment: LoadedAssignment, file: Path, *, with_hidden: bool) -> None:
    names = [check.name for check in found]
    for check in found:
        if names.count(check.name) > 1:
            raise ConfigError(text("check.name_twice", name=check.name), file=file, key="checks")
        for needed in check.needs:
            if needed not in names:
                raise ConfigError(text("check.unknown_need", name=check.name, needed=needed), file=file, key="checks")
    functions = {name.split("[")[0] for name in names}
    # Without the hidden checks, texts about them have no check here.
    for name in assignment.spec.checks if with_hidden else ():
        if name not in functions:
            raise ConfigError(text("check.text_without_check", name=name), file=file, key=f"checks.{name}")
