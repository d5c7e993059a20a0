"""The pytest plugin: checks are pytest functions, and this gives them points.

It does nothing outside an assignment (a folder with assignment.yml): it is loaded in every project of an environment
that has autograder installed, so everything it needs is imported when the first check is found.

Works in two ways. `grade` collects an assignment's checks, gives them a session when they are about to be run
(`pytest_run`), and reads the results from that; plain `pytest assignments/hw2_mlp/tests --submission mlp.py` makes the
session here and prints the score at the end.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np

    from autograder.course import LoadedAssignment
    from autograder.datasets import Split
    from autograder.judge.marker import CheckSpec
    from autograder.judge.proxy import Submission
    from autograder.judge.pytest_run import Managed
    from autograder.judge.session import JudgeSession
    from autograder.results import CheckResult

SESSIONS: pytest.StashKey[dict[Path, JudgeSession]] = pytest.StashKey()  # by the assignment's folder
CHECK: pytest.StashKey[CheckSpec] = pytest.StashKey()
SESSION: pytest.StashKey[JudgeSession] = pytest.StashKey()
MANAGED: pytest.StashKey[Managed] = pytest.StashKey()  # `grade` runs this pytest, and shows errors itself


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of plain pytest runs. English: pytest's own help is."""
    group = parser.getgroup("autograder", "graded homework (autograder)")
    group.addoption("--submission", metavar="PATH", help="the file, notebook or folder to check")
    group.addoption("--grade-device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or mps")
    group.addoption("--grade-python", metavar="PATH", help="run submissions with another Python (also GRADE_PYTHON)")
    group.addoption("--grade-data", default="embedded", choices=["embedded", "full"], help="the data to train with")
    group.addoption("--grade-full", action="store_true", help="train with all seeds, as a class run does")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "points(n, task, needs): what a check is worth, for which task (autograder)")


# --- collection -----------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Read the markers of the checks among `items`; in plain runs drop those not asked for, put hidden ones last."""
    by_folder: dict[Path, list[pytest.Function]] = {}
    for item in items:
        folder = _assignment_folder(item.path)
        if folder is not None and isinstance(item, pytest.Function):
            by_folder.setdefault(folder, []).append(item)
    if not by_folder:
        return
    from autograder.errors import GradeError

    managed = config.stash.get(MANAGED, None)
    wanted: list[pytest.Item] = [item for item in items if _assignment_folder(item.path) is None]
    for folder, checks in by_folder.items():
        try:
            if managed is not None:
                read_checks(checks, managed.assignment)
                wanted += checks
            else:
                session = _session_of(config, folder)
                read_checks(checks, session.assignment)
                wanted += choose(checks, session)
        except GradeError as error:
            if managed is None:
                raise pytest.UsageError(f"{error.message}\n{error.hint or ''}") from None
            managed.error = error
    items[:] = wanted


def _assignment_folder(path: Path) -> Path | None:
    """Return the assignment that a file of checks belongs to, by the folder around its tests/ or hidden/."""
    for parent in path.parents:
        if parent.name in {"tests", "hidden"} and (parent.parent / "assignment.yml").is_file():
            return parent.parent.resolve()
    return None


def _session_of(config: pytest.Config, folder: Path) -> JudgeSession:
    sessions = config.stash.setdefault(SESSIONS, {})
    if folder not in sessions:
        from autograder.box.interpreter import ENVIRONMENT
        from autograder.judge.attempt import open_session
        from autograder.judge.options import AttemptOptions

        given = config.getoption("--submission")
        options = AttemptOptions(
            hidden=True,
            full=bool(config.getoption("--grade-full")),
            device=str(config.getoption("--grade-device")),
            python=config.getoption("--grade-python") or os.environ.get(ENVIRONMENT),
            data=config.getoption("--grade-data"),
        )
        sessions[folder] = open_session(folder, Path(given) if given else None, options)
    return sessions[folder]


def read_checks(items: list[pytest.Function], assignment: LoadedAssignment) -> None:
    """Read the marker of each check, and compare all of them with the assignment.

    Raises:
        ConfigError: they are wrong by themselves, or together.
    """
    from autograder.judge.marker import compare_with_assignment, read_check

    for item in items:
        item.stash[CHECK] = read_check(item, assignment)
    if _complete(items, assignment):
        hidden = any(item.stash[CHECK].hidden for item in items)
        compare_with_assignment([item.stash[CHECK] for item in items], assignment, with_hidden=hidden)


def choose(items: list[pytest.Function], session: JudgeSession) -> list[pytest.Function]:
    """Give the checks their session, and return those that it asks for, public ones first."""
    chosen = session.chosen([item.stash[CHECK] for item in items])
    kept = [item for item in items if item.stash[CHECK].name in chosen]
    kept.sort(key=lambda item: item.stash[CHECK].hidden)
    for item in kept:
        item.stash[SESSION] = session
    session.expect([item.stash[CHECK] for item in kept])
    return kept


def _complete(items: list[pytest.Function], assignment: LoadedAssignment) -> bool:
    """Whether all checks of the folders at hand were collected: not where pytest was given one file or one name."""
    config = items[0].config
    if MANAGED in config.stash:
        return True
    asked = {Path(str(argument)).resolve() for argument in config.args}
    folder = assignment.folder
    # -k, -m and --deselect leave out checks later than this; --lf does not even collect all files.
    return bool(asked & {folder, folder / "tests", *folder.parents}) and not config.getoption("lf", default=False)


# --- running --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tell the session which check begins."""
    if CHECK in item.stash:
        item.stash[SESSION].begin(item.stash[CHECK])
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a check whose needs are not met, before its fixtures cost anything."""
    if CHECK in item.stash:
        reason = item.stash[SESSION].unmet_need(item.stash[CHECK])
        if reason:
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a check's result of what it raised. An error in a fixture is judged as one in the check."""
    report = yield
    ended = call.when == "call" or (call.when == "setup" and call.excinfo is not None)
    if CHECK in item.stash and ended:
        error = call.excinfo.value if call.excinfo else None
        skipped = str(error) if isinstance(error, pytest.skip.Exception) else ""
        result = item.stash[SESSION].finish(item.stash[CHECK], error, skipped=skipped)
        _tell_pytest(report, result)
    return report


def _tell_pytest(report: pytest.TestReport, result: CheckResult) -> None:
    """Let plain pytest show what the student reads, and count partial credit as not passed."""
    if report.outcome == "skipped" or result.status == "passed":
        return
    report.outcome = "failed"
    from autograder.messages import printable, text

    lines = [f"{result.score:g} / {result.max_points:g}", "" if result.expected else result.message]
    lines += [f"{name} = {metric.value:g}" for name, metric in result.metrics.items()]
    parts = {"expected": result.expected, "came": result.came, "try": result.hint}
    lines += [*result.frames, *(f"{text(f'report.{name}')}: {said}" for name, said in parts.items() if said)]
    # SECURITY: pytest prints it as it is, and what the student's code raised may be written for the terminal.
    report.longrepr = printable("\n".join(line for line in lines if line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print each assignment's score (plain pytest runs)."""
    for session in config.stash.get(SESSIONS, {}).values():
        results = session.results.values()
        score, most = sum(result.score for result in results), sum(result.max_points for result in results)
        terminalreporter.write_line(f"{session.assignment.id}: {score:.1f} / {most:g}", bold=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the boxes."""
    for session in config.stash.get(SESSIONS, {}).values():
        session.boxes.close()


# --- fixtures -------------------------------------------------------------------------------------------------------


def _running(request: pytest.FixtureRequest) -> JudgeSession:
    if SESSION not in request.node.stash:
        raise pytest.UsageError(
            f"the fixture {request.fixturename!r} is for checks in an assignment's tests/ or hidden/"
        )
    return cast("JudgeSession", request.node.stash[SESSION])


@pytest.fixture
def submission(request: pytest.FixtureRequest) -> Submission:
    """The student's module in the box."""
    from autograder.judge.proxy import Submission

    return Submission(_running(request).boxes)


@pytest.fixture
def metric(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Record measured values, one a seed: `metric("nmse", value)`."""
    return _running(request).record


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> tuple[int, ...]:
    """The seeds to train with: the first, or with --full all of assignment.yml."""
    return _running(request).seeds


@pytest.fixture
def dataset(request: pytest.FixtureRequest) -> Split:
    """The assignment's dataset: `dataset.train.images` uint8 [n, 28, 28], `.labels` int64 [n]; `dataset.test` too.

    The part that ships with the assignment, or with `--data full` the whole. The arrays can't be written to.
    """
    return _running(request).dataset()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A numpy generator, seeded by the check's name: each check draws the same numbers every time."""
    import zlib

    import numpy as np

    return np.random.default_rng(zlib.crc32(request.node.name.encode()))
