"""After a changed check: which checks of an earlier attempt still stand, and the report that they make with the new."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from autograder.ledger.models import CheckRow
from autograder.ledger.records import check_of, in_parts
from autograder.results import CheckResult, Report, Status
from autograder.run.suite import Suite, function_of
from autograder.score import attempt_status

# How an end of a box counts against checks that had no part in it: those of a whole attempt have to be run.
_FOR_OTHERS_TOO = frozenset([Status.TIMEOUT, Status.MEMORY, Status.OUTPUT, Status.CRASHED, Status.INTERNAL])


def known_checks(session: Session, attempts: Iterable[int]) -> dict[int, dict[str, str]]:
    """Return under which hashes the checks of attempts are known, by attempt and function; none where none stands."""
    found: dict[int, dict[str, str]] = {}
    for some in in_parts(attempts):
        columns = select(CheckRow.attempt_id, CheckRow.check_id, CheckRow.status, CheckRow.told["measured"].as_string())
        for number, check_id, status, measured in session.execute(columns.where(CheckRow.attempt_id.in_(some))):
            stands = measured if measured and status not in _FOR_OTHERS_TOO else ""
            known = found.setdefault(number, {})
            name = function_of(check_id)
            known[name] = stands if known.get(name, stands) == stands else ""
    return {number: known if all(known.values()) else {} for number, known in found.items()}


def with_hashes(report: Report, suite: Suite) -> Report:
    """Return a report that says what each check hangs on."""
    hashes = {name: unit.sha256 for name, unit in suite.units.items()}
    checks = (one.model_copy(update={"measured": hashes.get(function_of(one.id), "")}) for one in report.checks)
    return report.model_copy(update={"checks": tuple(checks)})


def taken_over(session: Session, attempt: int, run: Collection[str]) -> list[CheckResult]:
    """Return the results of an attempt, but for those of functions that have been run."""
    rows = select(CheckRow).where(CheckRow.attempt_id == attempt).order_by(CheckRow.position)
    results = map(check_of, session.scalars(rows.options(selectinload(CheckRow.metrics))))
    return [one.model_copy(update={"taken_over": True}) for one in results if function_of(one.id) not in run]


def completed(report: Report, others: Sequence[CheckResult], suite: Suite) -> Report:
    """Return the report of some checks with the results of the others, in the order of a whole run."""
    places: Mapping[str, int] = {name: place for place, name in enumerate(suite.units)}
    kept = [one for one in others if function_of(one.id) in places]  # the others are no checks any more
    checks = sorted([*report.checks, *kept], key=lambda one: places.get(function_of(one.id), len(places)))
    return report.model_copy(
        update={
            "checks": tuple(checks),
            "metrics": {name: metric for one in checks for name, metric in one.metrics.items()},
            "score": sum(one.score for one in checks),
            "max_points": sum(one.max_points for one in checks),
            "status": attempt_status(checks),
        }
    )
