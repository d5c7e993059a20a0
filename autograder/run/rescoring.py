"""Results scored anew by other thresholds, from the raw values of their metrics. Nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.orm import Session, aliased, selectinload

from autograder.course import LoadedAssignment
from autograder.ledger.models import Attempt, CheckRow, MetricRow
from autograder.ledger.records import Circumstances, check_of, check_row
from autograder.results import CheckResult, MetricResult, Status
from autograder.score import attempt_status, graded_status, score_metric

_MET = frozenset([Status.PASSED, Status.PARTIAL])  # a check that needs one of these is run


class Anew(NamedTuple):
    """What is to be scored anew."""

    attempt_id: int
    circumstances: Circumstances


class Ending(NamedTuple):
    """How a check ended, as far as an attempt's status hangs on it."""

    status: Status
    score: float


@dataclass(frozen=True)
class Rescorer:
    """Scores attempts at an assignment by the thresholds that it has now.

    Args:
        assignment: whose.
    """

    assignment: LoadedAssignment

    def record(self, session: Session, asked: Sequence[Anew]) -> dict[int, Attempt]:
        """Append what attempts come to now, and return the new ones by the number of the old.

        One that is left out has to be run: by the new thresholds a check is met that was not, or the other way round,
        and others are run only where it is.

        Args:
            session: of the ledger; a thousand attempts at a time are scored in a second, one by one in ten.
            asked: the old attempts, a few hundred at a time.
        """
        circumstances = {one.attempt_id: one.circumstances for one in asked}
        numbers = list(circumstances)
        changed = self._changed(session, numbers)
        endings = _endings(session, numbers)
        made: dict[int, Attempt] = {}
        for old in session.scalars(select(Attempt).where(Attempt.id.in_(numbers))):
            checks = changed.get(old.id, {})
            if any(self._decides_what_runs(before, after) for before, after in checks.values()):
                continue
            now = endings[old.id] | {at: Ending(after.status, after.score) for at, (_, after) in checks.items()}
            made[old.id] = _attempt(old, [now[at] for at in sorted(now)], circumstances[old.id])
        session.add_all(made.values())
        session.flush()
        for number, new in made.items():
            for position, (_, after) in changed.get(number, {}).items():
                row = check_row(position, after)
                row.attempt_id = new.id
                session.add(row)
        _copy_others(session, [new.id for new in made.values()])
        return made

    def check(self, check: CheckResult, *, full_data: bool) -> CheckResult:
        """Return what a check comes to now."""
        # A check that failed has earned nothing by its metric, whatever that was: it is worth nothing there.
        graded = {name: one for name, one in check.metrics.items() if one.max_points > 0}
        metrics: dict[str, MetricResult] = {}
        for name, metric in graded.items():
            if declared := self.assignment.spec.metrics.get(name):
                thresholds = declared.thresholds(full_data=full_data)
                metrics[name] = score_metric(metric.values, thresholds, metric.max_points)
        if not metrics:
            return check
        score = sum(metric.score for metric in metrics.values())
        status = graded_status(score, check.max_points)
        changed = {"metrics": check.metrics | metrics, "score": score, "status": status}
        return check.model_copy(update=changed | {"hint": self._hint(check, status)})

    def _hint(self, check: CheckResult, status: Status) -> str:
        if status is Status.PASSED:
            return ""
        declared = self.assignment.spec.checks.get(_function(check).partition("[")[0])
        return check.hint or (str(declared.hint) if declared and declared.hint else "")

    def _changed(
        self, session: Session, numbers: Sequence[int]
    ) -> dict[int, dict[int, tuple[CheckResult, CheckResult]]]:
        """Return the checks that measure something, by attempt and position: as they were, and as they are now."""
        rows = session.scalars(
            select(CheckRow)
            .where(CheckRow.attempt_id.in_(numbers), CheckRow.metrics.any())
            .options(selectinload(CheckRow.metrics))
        )
        reports = select(Attempt.id, Attempt.report["data"].as_string()).where(Attempt.id.in_(numbers))
        full = {number for number, data in session.execute(reports) if data == "full"}
        embedded = self.assignment.embedded_data is not None
        found: dict[int, dict[int, tuple[CheckResult, CheckResult]]] = {}
        for row in rows:
            before = check_of(row)
            after = self.check(before, full_data=embedded and row.attempt_id in full)
            found.setdefault(row.attempt_id, {})[row.position] = (before, after)
        return found

    def _decides_what_runs(self, before: CheckResult, after: CheckResult) -> bool:
        return (before.status in _MET) != (after.status in _MET) and _function(before) in self._quoted

    @cached_property
    def _quoted(self) -> frozenset[str]:
        """What stands in quotes in the check files; among it are the names of checks that others need."""
        paths = (path for folder in (self.assignment.tests, self.assignment.hidden) for path in folder.rglob("*.py"))
        return frozenset(
            name for path in paths for name in re.findall(r"[\"']([\w\[\].-]+)[\"']", path.read_text("utf-8"))
        )


def _function(check: CheckResult) -> str:
    return check.id.rpartition("::")[2]


def _endings(session: Session, numbers: Sequence[int]) -> dict[int, dict[int, Ending]]:
    columns = select(CheckRow.attempt_id, CheckRow.position, CheckRow.status, CheckRow.score)
    found: dict[int, dict[int, Ending]] = {number: {} for number in numbers}
    for number, position, status, score in session.execute(columns.where(CheckRow.attempt_id.in_(numbers))):
        found[number][position] = Ending(Status(status), score)
    return found


def _attempt(old: Attempt, endings: Iterable[Ending], circumstances: Circumstances) -> Attempt:
    ended = list(endings)
    score, status = sum(one.score for one in ended), attempt_status(ended).value
    same = ("submission_id", "checks_sha256", "max_points", "isolation", "device", "started")
    return Attempt(
        **{name: getattr(old, name) for name in same},
        **circumstances._asdict(),
        score=score,
        status=status,
        report=old.report | {"score": score, "status": status},
    )


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


def in_chunks(asked: Sequence[Anew], size: int = 500) -> Iterator[Sequence[Anew]]:
    """Yield what is scored in one transaction: enough to be fast, few enough that somebody else can write, too."""
    for start in range(0, len(asked), size):
        yield asked[start : start + size]
