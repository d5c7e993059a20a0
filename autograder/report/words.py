"""What reports say, in words: the same in a terminal and on a page."""

from __future__ import annotations

import math
from collections.abc import Iterable

from autograder.messages import text
from autograder.results import CheckResult, MetricResult, Note, Report, Status

# The first that the console's encoding has: GBK knows √ and ×, but not ✓ and ✗.
_MARKS = {Status.PASSED: "✓√+", Status.PARTIAL: "◐◇~", Status.SKIPPED: "–-"}
_FAILED_MARKS = "✗×x"
# Said beside the check's sentence; what the others are is plain from the mark, or said below it.
NAMED = frozenset(Status) - {Status.PASSED, Status.PARTIAL, Status.FAILED, Status.SKIPPED, Status.INTERNAL}


def device_text(kind: str, name: str, memory_bytes: int) -> str:
    """Return a device as people know it: "cuda: NVIDIA H100, 80 GB"."""
    # In units of 1024: a card sold with 24 GB has 24 of these.
    gigabytes = memory_bytes / (1 << 30)
    memory = f"{gigabytes:.0f} GB" if gigabytes >= 1 else f"{gigabytes:.1f} GB" if memory_bytes else ""
    said = ", ".join(part for part in (name, memory) if part)
    return f"{kind}: {said}" if said else kind


def where_text(report: Report, *, verbose: bool = False) -> str:
    """Return what a submission ran with: framework, Python, device, isolation."""
    environment = report.environment
    parts = [f"{report.framework} {report.framework_version or ''}".strip()] if report.framework else []
    if environment.python_path or not parts:
        where = f" ({environment.python_path})" if verbose and environment.python_path else ""
        parts.append(f"python {environment.python}{where}")
    device = device_text(report.device, report.device_name, report.device_memory)
    said = text("report.where", framework=", ".join(parts), device=device, isolation=report.isolation)
    return f"{said} · {text('report.full_data')}" if report.data == "full" else said


def metric_text(name: str, metric: MetricResult) -> str:
    """Return a metric with its thresholds: "nmse 0.031, full points up to 0.02"."""
    value = _value(metric)
    if len(metric.values) > 1:
        value = text("report.median", value=value, values=", ".join(f"{one:.3g}" for one in metric.values))
    if metric.full is None or metric.zero is None:
        return text("report.metric_plain", name=name, value=value)
    key = "report.metric_lower" if metric.better == "lower" else "report.metric_higher"
    return text(key, name=name, value=value, full=f"{metric.full:g}", zero=f"{metric.zero:g}")


def _value(metric: MetricResult) -> str:
    """Return the value in three digits, or in as many as tell it from a threshold that it is not."""
    thresholds = {metric.full, metric.zero} - {None, metric.value}
    shown = (f"{metric.value:.{digits}g}" for digits in range(3, 18))
    return next(text for text in shown if not any(float(text) == threshold for threshold in thresholds))


def noted(note: Note) -> str:
    """Return what the box told beside its answers."""
    said = note.text if note.times == 1 else text("report.note_times", note=note.text, times=note.times)
    return text("report.note", note=said)


def shown_points(points: float) -> str:
    """Return points rounded for showing only, and never to a whole that was not reached."""
    if points == int(points):
        return str(int(points))
    # Down, where rounding would reach the whole: 9.9996 of 10 is not 10.
    shown = round(points, 1)
    return f"{math.floor(points * 1000) / 1000:.3f}" if shown == int(shown) else f"{shown:.1f}"


def repeating(checks: Iterable[CheckResult]) -> frozenset[str]:
    """Return the ids of checks that went wrong just as the one before: their hint and lines stand there already.

    An endless loop that every check meets would fill the screen with one hint.
    """
    found: set[str] = set()
    before = None
    for check in checks:
        if check.status in {Status.PASSED, Status.SKIPPED}:
            continue
        told = (check.status, check.message, check.expected, check.came, check.frames, check.hint)
        if told == before:
            found.add(check.id)
        before = told
    return frozenset(found)


def points_text(check: CheckResult) -> str:
    """Return what a check earned of what it is worth; nothing for one that is only needed."""
    return f"{shown_points(check.score)}/{shown_points(check.max_points)}" if check.max_points else ""


def status_text(report: Report) -> str:
    """Return the status of a report.

    An attempt whose failing checks all failed is `failed` however much it earned; beside a score that would mislead.
    """
    shown = Status.PARTIAL if report.status is Status.FAILED and report.score else report.status
    return text(f"status.{shown.value}")


def mark_of(status: Status, encoding: str) -> str:
    """Return the sign for a status, as a console's encoding has it."""
    return first_encodable(_MARKS.get(status, _FAILED_MARKS), encoding)


def first_encodable(marks: str, encoding: str) -> str:
    """Return the first of some marks that a console's encoding has."""
    for mark in marks:
        try:
            mark.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            continue
        return mark
    return "*"
