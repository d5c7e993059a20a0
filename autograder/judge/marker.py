"""The `points` marker: read from a check, compared with assignment.yml, explained to its author where it is wrong."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autograder.course import LoadedAssignment
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
    if isinstance(points, bool) or not isinstance(points, int | float) or points <= 0:
        raise wrong(text("check.bad_points", came=repr(points)))
    if assignment.spec.task(str(task)) is None:
        raise wrong(text("check.bad_task", task=task, known=", ".join(known.id for known in assignment.spec.tasks)))
    if isinstance(needs, str) or not all(isinstance(name, str) for name in needs):
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
        hidden=path.is_relative_to(assignment.hidden),
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
    file = assignment.folder / "assignment.yml"
    names = [check.name for check in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(text("check.name_twice", name=name), file=file, key="checks")
    for check in found:
        for needed in check.needs:
            if needed not in names:
                raise ConfigError(text("check.unknown_need", name=check.name, needed=needed), file=file, key="checks")
    if with_hidden:
        plain = {name.split("[")[0] for name in names}
        for name in assignment.spec.checks:
            if name not in plain:
                raise ConfigError(text("check.text_without_check", name=name), file=file, key=f"checks.{name}")
    sums: dict[tuple[str, bool], float] = defaultdict(float)
    for check in found:
        sums[check.task, check.hidden] += check.points
    for task in assignment.spec.tasks:
        for hidden in (False, True) if with_hidden else (False,):
            declared = task.points.hidden if hidden else task.points.public
            if abs(declared - sums[task.id, hidden]) > 1e-9:
                kind = "hidden" if hidden else "public"
                problem = text("check.points_sum", task=task.id, kind=kind, declared=f"{declared:g}",
                               found=f"{sums[task.id, hidden]:g}")  # fmt: skip
                raise ConfigError(problem, file=file, key="tasks")

