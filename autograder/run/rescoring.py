"""A report scored anew by other thresholds, from the raw values of its metrics. Nothing is run."""

from __future__ import annotations

from autograder.course import LoadedAssignment
from autograder.results import CheckResult, MetricResult, Report, Status
from autograder.score import attempt_status, graded_status, score_metric


def rescored(report: Report, assignment: LoadedAssignment) -> Report:
    """Return the report as the assignment's thresholds have it now."""
    full_data = report.data == "full" and assignment.embedded_data is not None
    checks = tuple(_check(check, assignment, full_data=full_data) for check in report.checks)
    return report.model_copy(
        update={
            "checks": checks,
            "metrics": {name: metric for check in checks for name, metric in check.metrics.items()},
            "score": sum(check.score for check in checks),
            "status": attempt_status(checks),
        }
    )


def _check(check: CheckResult, assignment: LoadedAssignment, *, full_data: bool) -> CheckResult:
    # A check that failed has earned nothing by its metric, whatever that was.
    if check.status not in {Status.PASSED, Status.PARTIAL, Status.FAILED} or not _ran_to_its_end(check):
        return check
    metrics: dict[str, MetricResult] = {}
    score = check.score
    for name, metric in check.metrics.items():
        declared = assignment.spec.metrics.get(name)
        if declared is None or metric.max_points == 0:
            metrics[name] = metric
            continue
        metrics[name] = score_metric(metric.values, declared.thresholds(full_data=full_data), metric.max_points)
        score = metrics[name].score
    return check.model_copy(
        update={"metrics": metrics, "score": score, "status": graded_status(score, check.max_points)}
    )


def _ran_to_its_end(check: CheckResult) -> bool:
    return any(metric.max_points > 0 for metric in check.metrics.values())
