"""Results scored anew by other thresholds, from the raw values of their metrics. Nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, Table, insert, select
from sqlalchemy.orm import Session, aliased

from autograder.course import LoadedAssignment
from autograder.ledger.models import Attempt, CheckRow, MetricRow
from autograder.ledger.records import Circumstances
from autograder.results import Status, Thresholds
from autograder.score import attempt_status, credit, graded_status, median_of_seeds

_MET = frozenset([Status.PASSED, Status.PARTIAL])  # a check that needs one of these is run


class Anew(NamedTuple):
    """What is to be scored anew."""

    attempt_id: int
    circumstances: Circumstances


class Scored(NamedTuple):
    """What an attempt comes to now."""

    score: float
    max_points: float
    status: str
    duration_s: float


class Measured(NamedTuple):
    """A check that measures something: its columns, and its metrics' results by name, as they are recorded."""

    columns: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]

    @property
    def is_met(self) -> bool:
        """Whether checks that need it are run."""
        return self.columns["status"] in _MET

    @property
    def function(self) -> str:
        """The check's name in its file."""
        return str(self.columns["check_id"]).rpartition("::")[2]


class Ending(NamedTuple):
    """How a check ended, as far as an attempt's status hangs on it."""

    status: Status
    score: float


@dataclass(frozen=True)
class Rescorer:
    """Scores attempts at an assignment by the thresholds that it has now.

    Rows are read and written as they are, a few hundred attempts in a statement: objects for each of a class's fifty
    thousand checks would take ten times as long as all the rest.

    Args:
        assignment: whose.
    """

    assignment: LoadedAssignment

    def record(self, session: Session, asked: Sequence[Anew]) -> dict[int, Scored]:
        """Append what attempts come to now, and return that by the number of the old one.

        One that is left out has to be run: by the new thresholds a check is met that was not, or the other way round,
        and others are run only where it is.

        Args:
            session: of the ledger.
            asked: the old attempts, a few hundred at a time.
        """
        circumstances = {one.attempt_id: one.circumstances for one in asked}
        numbers = list(circumstances)
        kept = select(*(_ATTEMPTS.c[name] for name in _KEPT))
        olds = {row["id"]: row for row in _rows(session, kept.where(_ATTEMPTS.c.id.in_(numbers)))}
        full = {number for number, row in olds.items() if row["report"].get("data") == "full"}
        changed: dict[int, dict[int, Measured]] = {number: {} for number in numbers}
        to_run: set[int] = set()
        for (number, position), before in _measured(session, numbers).items():
            after = self.check(before, full_data=self.assignment.embedded_data is not None and number in full)
            changed[number][position] = after
            if before.is_met != after.is_met and before.function in self._quoted:
                to_run.add(number)
        endings = _endings(session, numbers)
        rows = []
        for number, old in olds.items():
            if number not in to_run:
                ended = endings[number] | {at: _ending(check) for at, check in changed[number].items()}
                rows.append(_attempt(old, list(ended.values()), circumstances[number]))
        return _append(session, rows, changed) if rows else {}

    def check(self, check: Measured, *, full_data: bool) -> Measured:
        """Return what a check comes to now."""
        metrics: dict[str, Mapping[str, Any]] = {}
        for name, result in check.metrics.items():
            declared = self.assignment.spec.metrics.get(name)
            # A check that failed has earned nothing by its metric, whatever that was: it is worth nothing there.
            if declared is not None and result["max_points"] > 0:
                metrics[name] = _scored(result, declared.thresholds(full_data=full_data))
        if not metrics:
            return check
        score = sum(metric["score"] for metric in metrics.values())
        status = graded_status(score, check.columns["max_points"])
        told = check.columns["told"] | {"hint": self._hint(check, status)}
        columns = {**check.columns, "score": score, "status": status.value, "told": told}
        return Measured(columns, {**check.metrics, **metrics})

    def _hint(self, check: Measured, status: Status) -> str:
        if status is Status.PASSED:
            return ""
        declared = self.assignment.spec.checks.get(check.function.partition("[")[0])
        return check.columns["told"].get("hint") or (str(declared.hint) if declared and declared.hint else "")

    @cached_property
    def _quoted(self) -> frozenset[str]:
        """What stands in quotes in the check files; among it are the names of checks that others need."""
        paths = (path for folder in (self.assignment.tests, self.assignment.hidden) for path in folder.rglob("*.py"))
        return frozenset(
            name for path in paths for name in re.findall(r"[\"']([\w\[\].-]+)[\"']", path.read_text("utf-8"))
        )


def _scored(result: Mapping[str, Any], thresholds: Thresholds) -> dict[str, Any]:
    """Return a metric's recorded result by other thresholds."""
    values = [float(value) for value in result["values"]]  # NaN is recorded as a text
    value = median_of_seeds(values, thresholds.better)
    score = result["max_points"] * credit(value, thresholds)
    return {**result, **thresholds._asdict(), "value": result["values"][values.index(value)], "score": score}


# What is the same in the attempt that is scored anew.
_KEPT = ("id", "submission_id", "checks_sha256", "max_points", "isolation", "device", "started", "report")
# The tables and not the models, which do for each row what is the same for all.
_ATTEMPTS, _CHECKS, _METRICS = (cast("Table", model.__table__) for model in (Attempt, CheckRow, MetricRow))
_STATUSES = {one.value: one for one in Status}


def _measured(session: Session, numbers: Sequence[int]) -> dict[tuple[int, int], Measured]:
    """Return the checks that measure something, by attempt and position."""
    metrics: dict[tuple[int, int], dict[str, Any]] = {}
    results = select(_METRICS).where(_METRICS.c.attempt_id.in_(numbers))
    for number, position, name, result in session.execute(results).all():
        metrics.setdefault((number, position), {})[name] = result
    places = select(_METRICS.c.attempt_id, _METRICS.c.position).where(_METRICS.c.attempt_id.in_(numbers)).distinct()
    measured = places.subquery()
    on = (_CHECKS.c.attempt_id == measured.c.attempt_id) & (_CHECKS.c.position == measured.c.position)
    rows = _rows(session, select(_CHECKS).join(measured, on))
    return {place: Measured(row, metrics[place]) for row in rows if (place := (row["attempt_id"], row["position"]))}


def _rows(session: Session, asked: Select[Any]) -> list[dict[str, Any]]:
    """Return rows as they are, by their columns' names."""
    result = session.execute(asked)
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result.all()]  # all at once: one by one takes twice as long


def _endings(session: Session, numbers: Sequence[int]) -> dict[int, dict[int, Ending]]:
    """Return how the checks ended, in the order that they ran in: that sums have the same last bits."""
    columns = select(*(_CHECKS.c[name] for name in ("attempt_id", "position", "status", "score")))
    asked = columns.where(_CHECKS.c.attempt_id.in_(numbers)).order_by(_CHECKS.c.attempt_id, _CHECKS.c.position)
    found: dict[int, dict[int, Ending]] = {number: {} for number in numbers}
    for number, position, status, score in session.execute(asked).all():
        found[number][position] = Ending(_STATUSES[status], score)
    return found


def _ending(check: Measured) -> Ending:
    return Ending(_STATUSES[check.columns["status"]], check.columns["score"])


def _attempt(old: Mapping[str, Any], ended: Sequence[Ending], circumstances: Circumstances) -> dict[str, Any]:
    now = {"score": sum(one.score for one in ended), "status": attempt_status(ended).value}
    kept = {name: value for name, value in old.items() if name != "id"}
    return {**kept, **circumstances._asdict(), **now, "report": {**old["report"], **now}}


def _append(
    session: Session, rows: Sequence[dict[str, Any]], changed: Mapping[int, Mapping[int, Measured]]
) -> dict[int, Scored]:
    """Append attempts with their checks; return what they come to, by the number of the old attempt."""
    made = session.execute(insert(_ATTEMPTS).returning(_ATTEMPTS.c.rescored_from, _ATTEMPTS.c.id), rows)
    numbers: dict[int, int] = {old: new for old, new in made if old is not None}
    checks, metrics = [], []
    for old, new in numbers.items():
        for position, check in changed[old].items():
            checks.append({**check.columns, "attempt_id": new})
            metrics += [
                {"attempt_id": new, "position": position, "name": name, "result": result}
                for name, result in check.metrics.items()
            ]
    if checks:
        session.execute(insert(_CHECKS), checks)
        session.execute(insert(_METRICS), metrics)
    _copy_others(session, list(numbers.values()))
    return {
        row["rescored_from"]: Scored(row["score"], row["max_points"], row["status"], float(row["report"]["duration_s"]))
        for row in rows
    }


def _copy_others(session: Session, numbers: Sequence[int]) -> None:
    """Copy the checks that measure nothing, in the database: there are a hundred thousand in a course."""
    new, measured = aliased(Attempt), aliased(MetricRow)
    names = [column.name for column in CheckRow.__table__.columns if column.name != "attempt_id"]
    has_metrics = select(measured.name).where(
        measured.attempt_id == CheckRow.attempt_id, measured.position == CheckRow.position
    )
    session.execute(
        insert(CheckRow).from_select(
            ["attempt_id", *names],
            select(new.id, *(getattr(CheckRow, name) for name in names))
            .join(new, new.rescored_from == CheckRow.attempt_id)
            .where(new.id.in_(numbers), ~has_metrics.exists()),
        )
    )


def in_chunks(asked: Sequence[Anew], size: int = 1000) -> Iterator[Sequence[Anew]]:
    """Yield what is scored in one transaction: enough to be fast, few enough that somebody else can write, too."""
    for start in range(0, len(asked), size):
        yield asked[start : start + size]
