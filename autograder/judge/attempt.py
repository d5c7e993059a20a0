"""One attempt: an assignment's checks run against one submission, and the report of it.

    settle ──▶ JudgeSession ──▶ pytest_run.run_checks (in this process) ──▶ build_report

The box is started by the session and imports the student's framework while this process imports pytest. For many
attempts see `judges`: there pytest and the checks are loaded once.
"""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from autograder import __version__
from autograder.box.advice import LOADED_AT_IMPORT
from autograder.box.interpreter import Interpreter, choose, package_of
from autograder.course import LoadedAssignment, LoadedCourse, find_course, load_assignment
from autograder.errors import UsageError
from autograder.judge.advice import merged
from autograder.judge.isolation import Choice
from autograder.judge.options import AttemptOptions
from autograder.judge.pytest_run import Managed, run_checks
from autograder.judge.session import JudgeSession, Ready, is_in_task, isolation_of
from autograder.judge.showing import cells_shown
from autograder.messages import text
from autograder.results import CheckResult, Environment, MetricResult, Note, Report
from autograder.score import attempt_status
from autograder.submission import Submission, find


class Settled(NamedTuple):
    """What is decided before an attempt begins."""

    python: Interpreter
    choice: Choice


def run_attempt(assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Report:
    """Check one submission.

    Raises:
        UsageError: a framework, device or Python that is not there, no such task.
        ConfigError: the checks or assignment.yml are wrong.
        KeyboardInterrupt: interrupted; no box is left.
    """
    started, began = datetime.now(UTC), time.monotonic()
    settled = settle(assignment, submission, options)
    session = JudgeSession(assignment, submission, options, settled.python, Ready(settled.choice))
    try:
        require_device(session)
        run_checks(Managed(assignment, lambda: session), hidden=options.hidden)
        return build_report(session, started, time.monotonic() - began)
    finally:
        session.boxes.close()


def settle(assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Settled:
    """Decide what the attempt is made with; in the process that was asked for it, which tells what is missing.

    Raises:
        UsageError: a framework or Python that is not there, no such task, no such isolation.
    """
    _require_tasks(assignment, options.tasks)
    python = choose(options.python, options.listener.notice)
    require_frameworks(submission, python)
    require_dataset(assignment, options)
    return Settled(python, isolation_of(assignment, submission, options, python))


def open_session(folder: Path, given: Path | None, options: AttemptOptions) -> JudgeSession:
    """Open a session for an assignment's folder (plain pytest runs)."""
    assignment = assignment_in(folder)
    # The stub as well: plain pytest, an editor's, runs whatever is there, and keeps no score of it.
    submission = find(assignment, given, Path.cwd(), course_stub=True)
    python = choose(options.python, options.listener.notice)
    require_frameworks(submission, python)
    require_dataset(assignment, options)
    session = JudgeSession(assignment, submission, options, python)
    require_device(session)
    return session


def assignment_in(folder: Path) -> LoadedAssignment:
    """Load the assignment of a folder, with the course's limits where there is a course around it."""
    try:
        course: LoadedCourse | None = find_course(folder)
    except UsageError:
        course = None  # an assignment's folder by itself
    return load_assignment(folder, course)


# --- before ---------------------------------------------------------------------------------------------------------


def require_frameworks(submission: Submission, python: Interpreter) -> None:
    """Raise UsageError where the submission imports a framework that its Python lacks. Nothing is imported for it."""
    for framework in submission.frameworks:
        if not python.has(framework):
            which = "usage.no_framework" if python.is_ours else "usage.no_framework_there"
            install = text("usage.no_framework_hint", python=python.command, package=package_of(framework))
            raise UsageError(
                text(which, framework=framework, file=submission.name, python=python.executable),
                hint=f"{install}\n{text('usage.find_python_hint')}",
            )


def _require_tasks(assignment: LoadedAssignment, tasks: tuple[str, ...]) -> None:
    known = [task.id for task in assignment.spec.tasks]
    for task in tasks:
        if not any(is_in_task(one, task) for one in known):
            raise UsageError(
                text("usage.unknown_task", task=task, id=assignment.id),
                hint=text("usage.known_tasks", tasks=", ".join(known)),
            )


def require_dataset(assignment: LoadedAssignment, options: AttemptOptions) -> None:
    """Raise UsageError where `--data` asks for the dataset of an assignment that has none."""
    if options.data == "full" and assignment.spec.dataset is None:
        raise UsageError(text("usage.no_dataset", id=assignment.id), hint=text("usage.no_dataset_hint"))


def require_device(session: JudgeSession) -> None:
    """Raise UsageError where the device asked for is not there. The cpu always is; for others the box is asked."""
    wanted = session.options.device
    if wanted in {"auto", "cpu"}:
        return
    loaded = session.boxes.try_load()
    if loaded is not None and loaded.environment.device != wanted:
        framework, problem = session.submission.framework(), loaded.environment.device_problem
        if framework is None:
            message = text("usage.no_framework_device", file=session.submission.name, device=wanted)
        elif problem:
            message = text("usage.no_device_because", device=wanted, framework=framework, problem=problem)
        else:
            message = text("usage.no_device", device=wanted, framework=framework)
        raise UsageError(message, hint=text("usage.no_device_hint"))


# --- the report -----------------------------------------------------------------------------------------------------


def build_report(session: JudgeSession, started: datetime, duration_s: float) -> Report:
    """Return the report of a session whose checks have been run."""
    assignment, submission, boxes = session.assignment, session.submission, session.boxes
    checks = session.reported()
    loaded = boxes.loaded.environment if boxes.loaded else None
    return Report(
        assignment=assignment.id,
        submission=submission.name,
        submission_sha256=submission.sha256,
        score=sum(check.score for check in checks),
        max_points=sum(check.max_points for check in checks),
        status=attempt_status(checks),
        message=_load_message(session),
        isolation=boxes.isolation,
        isolation_missing=session.isolation_missing,
        data=session.data,
        device=loaded.device if loaded else "cpu",
        device_name=loaded.device_name if loaded else "",
        device_memory=loaded.device_memory if loaded else 0,
        device_problem=loaded.device_problem if loaded and session.options.device != "cpu" else "",
        framework=submission.framework(),
        started_at=started.isoformat(timespec="seconds"),
        duration_s=duration_s,
        checks=checks,
        metrics=_all_metrics(checks),
        notes=merged(note for check in checks if not check.hidden for note in check.notes if _matters(note, session)),
        cells=cells_shown(boxes.told_by_cells, len(submission.cells)),
        hidden_points_not_run=_hidden_points_left(session),
        environment=Environment(
            python=loaded.python if loaded else session.python.version,
            python_path="" if session.python.is_ours else session.python.executable,
            numpy=loaded.numpy if loaded else None,
            torch=loaded.torch if loaded else None,
            tensorflow=loaded.tensorflow if loaded else None,
            platform=loaded.platform if loaded else platform.platform(),
            threads=loaded.threads if loaded else assignment.limits.threads,
        ),
        seeds=session.seeds,
        autograder_version=__version__,
        checks_sha256=assignment.checks_sha256,
    )


def _matters(note: Note, session: JudgeSession) -> bool:
    """Whether to tell: what a file does when it is imported is nobody's business where no hidden check imports it."""
    return note.kind != LOADED_AT_IMPORT or session.assignment.spec.hidden_points > 0


def _hidden_points_left(session: JudgeSession) -> float:
    """Return what the hidden checks of the tasks asked for are worth, where they were not asked for."""
    tasks = session.assignment.spec.tasks
    if session.options.hidden:
        return 0.0
    asked = session.options.tasks
    return sum(task.points.hidden for task in tasks if not asked or any(is_in_task(task.id, one) for one in asked))


def _load_message(session: JudgeSession) -> str:
    # A later box whose import failed does not hide what the first one has earned.
    failure = session.boxes.load_failure if session.boxes.loaded is None else None
    return session.verdict(failure).message if failure else ""


def _all_metrics(checks: tuple[CheckResult, ...]) -> dict[str, MetricResult]:
    return {name: metric for check in checks for name, metric in check.metrics.items()}
