"""One attempt: an assignment's checks run against one submission, and the report of it.

    open_session ──▶ run_checks (pytest, in this process) ──▶ build_report

The box is started by the first step and imports the student's framework while this process imports pytest.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from autograder import __version__
from autograder.box.advice import LOADED_AT_IMPORT
from autograder.box.backends import RESTRICTED
from autograder.box.interpreter import Interpreter, choose, package_of
from autograder.box.probe import probe
from autograder.course import LoadedAssignment, LoadedCourse, find_course, load_assignment
from autograder.errors import ConfigError, InternalError, UsageError
from autograder.judge.advice import merged
from autograder.judge.session import AttemptOptions, JudgeSession, is_in_task
from autograder.messages import text
from autograder.results import CheckResult, Environment, MetricResult, Note, Report
from autograder.score import attempt_status
from autograder.submission import Submission, find

_CONFIG = Path(__file__).with_name("checks.ini")
# Built-in plugins that a grading run has no use for; each costs start-up time, some write files.
_UNUSED = ("terminal", "cacheprovider", "stepwise", "doctest", "unittest", "junitxml", "pastebin", "setuponly",
           "setupplan", "faulthandler", "warnings", "nose", "logging", "debugging", "recwarn", "subtests")  # fmt: skip


def run_attempt(assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Report:
    """Check one submission.

    Raises:
        UsageError: a framework, device or Python that is not there, no such task.
        ConfigError: the checks or assignment.yml are wrong.
        KeyboardInterrupt: interrupted; no box is left.
    """
    started, began = datetime.now(UTC), time.monotonic()
    _require_tasks(assignment, options.tasks)
    python = choose(options.python, options.listener.notice)
    require_frameworks(submission, python)
    require_dataset(assignment, options)
    session = JudgeSession(assignment, submission, options, python)
    try:
        _require_device(session)
        run_checks(session)
        return build_report(session, started, time.monotonic() - began)
    finally:
        session.boxes.close()


def open_session(folder: Path, given: Path | None, options: AttemptOptions) -> JudgeSession:
    """Open a session for an assignment's folder (plain pytest runs)."""
    try:
        course: LoadedCourse | None = find_course(folder)
    except UsageError:
        course = None  # an assignment's folder by itself
    assignment = load_assignment(folder, course)
    # The stub as well: plain pytest, an editor's, runs whatever is there, and keeps no score of it.
    submission = find(assignment, given, Path.cwd(), course_stub=True)
    python = choose(options.python, options.listener.notice)
    require_frameworks(submission, python)
    require_dataset(assignment, options)
    session = JudgeSession(assignment, submission, options, python)
    _require_device(session)
    return session


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


def _require_device(session: JudgeSession) -> None:
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


# --- the run --------------------------------------------------------------------------------------------------------


def run_checks(session: JudgeSession) -> None:
    """Run the checks by pytest, in this process.

    Raises:
        ConfigError: a check file can't be imported, or a marker is wrong.
        KeyboardInterrupt: interrupted.
    """
    import pytest

    from autograder.judge import plugin

    assignment = session.assignment
    folders = [folder for folder in _check_folders(session) if folder.is_dir()]
    if not folders:  # pytest would take none for the working directory
        raise _no_checks(assignment)
    broken: list[str] = []

    class _Managed:
        """Puts the session where the plugin looks for it, and notes check files that can't be collected."""

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config: pytest.Config) -> None:
            config.stash[plugin.SESSIONS] = {assignment.folder: session}
            config.stash[plugin.MANAGED] = True
            # The plugin replaces pytest's rendering of a failure; all styles but this one parse every file on the way.
            config.option.tbstyle = "native"
            config.option.verbose = 0  # asked for by pytest 8.2 where the terminal plugin, which defines it, is off

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                broken.append(report.longreprtext)

    arguments = [
        *(folder.name for folder in folders),
        *("-c", str(_CONFIG), "--rootdir", str(assignment.folder), "--import-mode=importlib", "--capture=sys"),
        # A conftest.py above the assignment is somebody else's.
        *("--confcutdir", str(assignment.folder)),
        *(f"-pno:{name}" for name in _UNUSED),
    ]
    # From within, by names of our own: pytest reads the [ of a folder's name as a parameter.
    with _clean_pytest_environment(), _forgetting_modules(assignment.folder), chdir(assignment.folder):
        status = pytest.main(arguments, plugins=[plugin, _Managed()])
    if session.error is not None:
        raise session.error
    if broken:
        raise ConfigError(text("check.cannot_collect", problem=broken[0]), file=assignment.folder)
    if status == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}:
        raise InternalError(text("check.pytest_failed", status=status))
    if not session.results:
        raise _no_checks(assignment)


def _check_folders(session: JudgeSession) -> list[Path]:
    hidden = [session.assignment.hidden] if session.options.hidden else []
    return [session.assignment.tests, *hidden]


def _no_checks(assignment: LoadedAssignment) -> UsageError:
    return UsageError(text("usage.no_checks", id=assignment.id), hint=text("usage.no_checks_hint"))


@contextmanager
def _clean_pytest_environment() -> Iterator[None]:
    """Keep the user's pytest options and installed plugins out of grading."""
    saved = {name: os.environ.pop(name, None) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
    saved["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _forgetting_modules(folder: Path) -> Iterator[None]:
    """Forget the check files' modules afterwards: pytest would take another assignment's of the same name for them."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if (file and Path(file).is_relative_to(folder)) or name in {"tests", "hidden"}:
                del sys.modules[name]


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
        isolation_missing=_isolation_missing(boxes.isolation),
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


def _isolation_missing(isolation: str) -> str:
    """Return what stands in the way of stricter isolations than `restricted`, where it was taken for want of them."""
    if isolation != RESTRICTED:
        return ""
    return " ".join(missing.explained() for missing in probe().stricter_missing())


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
