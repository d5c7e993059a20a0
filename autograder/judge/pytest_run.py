"""One run of pytest over an assignment's checks, for `grade`: collected, given a session, run.

The session comes last: a warm judge collects once, and forks where the session is asked for (`judge_zygote`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from autograder.course import LoadedAssignment
from autograder.errors import ConfigError, InternalError, UsageError
from autograder.judge.session import JudgeSession
from autograder.messages import text

if TYPE_CHECKING:
    import pytest

_CONFIG = Path(__file__).with_name("checks.ini")
# Built-in plugins that a grading run has no use for; each costs start-up time, some write files.
_UNUSED = ("terminal", "cacheprovider", "stepwise", "doctest", "unittest", "junitxml", "pastebin", "setuponly",
           "setupplan", "faulthandler", "warnings", "nose", "logging", "debugging", "recwarn", "subtests")  # fmt: skip


@dataclass
class Managed:
    """A run of pytest that `grade` manages: what it is given, and what came of it."""

    assignment: LoadedAssignment
    open_session: Callable[[], JudgeSession]
    """Called once, when all checks have been collected without a mistake."""
    session: JudgeSession | None = None
    error: Exception | None = None
    """Why no check could be run."""
    broken: list[str] = field(default_factory=list)
    """What pytest says of check files that it can't import."""


def run_checks(managed: Managed, *, hidden: bool) -> JudgeSession:
    """Run the checks by pytest, in this process, and return the session with their results.

    Args:
        managed: of which assignment, in which session.
        hidden: the hidden checks too.

    Raises:
        ConfigError: a check file can't be imported, or a marker is wrong.
        KeyboardInterrupt: interrupted.
        Exception: whatever the session could not be opened for.
    """
    import pytest

    from autograder.judge import plugin

    assignment = managed.assignment
    asked = [assignment.tests, assignment.hidden] if hidden else [assignment.tests]
    folders = [folder.name for folder in asked if folder.is_dir()]
    if not folders:  # pytest would take none for the working directory
        raise _no_checks(assignment)
    _compute_with_one_thread()
    # From within, by names of our own: pytest reads the [ of a folder's name as a parameter.
    with _clean_pytest_environment(), _forgetting_modules(assignment.folder), chdir(assignment.folder):
        status = pytest.main([*folders, *_arguments(assignment)], plugins=[plugin, _manager(managed)])
    if managed.error is not None:
        raise managed.error
    if managed.broken:
        raise ConfigError(text("check.cannot_collect", problem=managed.broken[0]), file=assignment.folder)
    if status == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}:
        raise InternalError(text("check.pytest_failed", status=status))
    if managed.session is None or not managed.session.results:
        raise _no_checks(assignment)
    return managed.session


def _compute_with_one_thread() -> None:
    """Have numpy's library compute in the judge with one thread, whatever the machine.

    Sums of large arrays have other last bits where several threads share them, and a judge that is to be forked must
    not have any. Checks compute little; trainings run in boxes.
    """
    if sys.platform == "linux":  # libraries are told by /proc
        from autograder.box import seal

        for set_threads in seal.thread_setters():
            set_threads(1)


def _arguments(assignment: LoadedAssignment) -> list[str]:
    return [
        *("-c", str(_CONFIG), "--rootdir", str(assignment.folder), "--import-mode=importlib", "--capture=sys"),
        # A conftest.py above the assignment is somebody else's.
        *("--confcutdir", str(assignment.folder)),
        *(f"-pno:{name}" for name in _UNUSED),
    ]


def _manager(managed: Managed) -> object:
    """Return the pytest plugin of a managed run."""
    import pytest

    from autograder.judge import plugin

    class Manager:
        """Tells our plugin what it is part of, notes check files that can't be collected, and opens the session."""

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config: pytest.Config) -> None:
            config.stash[plugin.MANAGED] = managed
            # The plugin replaces pytest's rendering of a failure; all styles but this one parse every file on the way.
            config.option.tbstyle = "native"
            config.option.verbose = 0  # asked for by pytest 8.2 where the terminal plugin, which defines it, is off

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                managed.broken.append(report.longreprtext)

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: pytest.Session) -> None:
            """Before pytest's own loop, which then runs what is in the list."""
            collected = cast("list[pytest.Function]", session.items)
            session.items = []
            if managed.broken or managed.error or not collected:
                return
            for item in collected:
                _ = item.location  # remembered, before judges are forked: each would work it out for every check
            try:
                managed.session = managed.open_session()
            # Broad: pytest would print it as an error of its own, and end with a number.
            except Exception as error:  # noqa: BLE001
                managed.error = error
            else:
                session.items[:] = plugin.choose(collected, managed.session)

    return Manager()


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
            if (file or "").startswith(f"{folder}{os.sep}") or name in {"tests", "hidden"}:
                del sys.modules[name]
