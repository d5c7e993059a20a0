"""`grade calibrate`: the reference solutions measured on this machine, their times and their metrics.

The times are kept in `.grade/` of the course's folder, where they decide the limits of this machine (`time_limits`).
`write_reference` puts them into assignment.yml, for machines where no solution is at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from autograder import history
from autograder.assignment import Reference
from autograder.box.interpreter import Interpreter, choose
from autograder.course import ASSIGNMENT_FILE, LoadedAssignment
from autograder.errors import InternalError, UsageError
from autograder.judge.attempt import require_frameworks, run_attempt
from autograder.judge.listener import Listener
from autograder.judge.options import AttemptOptions
from autograder.judge.session import data_in_use
from autograder.judge.time_limits import ReferenceTimes, benchmark_s, calibration_file, measured_here, reference_key
from autograder.limits import Needs
from autograder.messages import text
from autograder.results import CalibratedSolution, Calibration, CheckResult, Status
from autograder.submission import Submission, read_file


class _Clock(Listener):
    """Notes how long each training takes and what each box has taken, and tells another listener everything."""

    def __init__(self, other: Listener) -> None:
        self._other = other
        self.trainings_s: list[float] = []
        self.needs = Needs()

    def loading(self, framework: str | None) -> None:
        self._other.loading(framework)

    def check_started(self, title: str, number: int, total: int) -> None:
        self._other.check_started(title, number, total)

    def calling(self, name: str, seed: int | None) -> None:
        self._other.calling(name, seed)

    def notice(self, said: str) -> None:
        self._other.notice(said)

    def box_ends(self, needs: Callable[[], Needs]) -> None:
        self.needs = self.needs.or_more(needs())

    def trained(self, seconds: float) -> None:
        self.trainings_s.append(seconds)
        self._other.trained(seconds)

    def check_finished(self, result: CheckResult) -> None:
        self._other.check_finished(result)


def calibrate(assignment: LoadedAssignment, options: AttemptOptions) -> Calibration:
    """Measure every reference solution whose framework is installed, one after the other.

    Args:
        assignment: whose.
        options: device, data, seeds and listener; all checks are run.

    Raises:
        UsageError: no solution is here, or no framework for any.
        InternalError: a solution does not pass its own checks, so that nothing about it is worth keeping.
    """
    solutions = [assignment.solutions / name for name in assignment.stub_names]
    if not all(path.is_file() for path in solutions):
        raise UsageError(
            text("calibrate.no_solution", folder=assignment.solutions), hint=text("calibrate.no_solution_hint")
        )
    python = choose(options.python, options.listener.notice)
    embedded = assignment.embedded_data
    return Calibration(
        assignment=assignment.id,
        data=data_in_use(assignment, options.data),
        seeds=options.seeds or assignment.spec.seeds,
        is_reference=not options.seeds and (embedded is None or options.data != "full"),
        benchmark_s=benchmark_s(),
        solutions=tuple(_measure(assignment, one, options) for one in _possible(solutions, python)),
    )


def _possible(solutions: list[Path], python: Interpreter) -> list[Submission]:
    """Return the solutions whose framework is installed; where that is none, say what to install."""
    found, missing = [], None
    for path in solutions:
        submission = read_file(path)
        try:
            require_frameworks(submission, python)
        except UsageError as error:
            missing = missing or error
        else:
            found.append(submission)
    if missing is not None and not found:
        raise missing
    return found


def _measure(assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> CalibratedSolution:
    clock = _Clock(options.listener)
    how = replace(options, hidden=assignment.has_hidden, full=True, listener=clock)
    report = run_attempt(assignment, submission, how)
    bad = [check for check in report.checks if check.status not in {Status.PASSED, Status.PARTIAL}]
    if bad:
        problem = text("calibrate.fails", file=submission.name, check=bad[0].id, message=bad[0].message)
        raise InternalError(problem, hint=text("calibrate.fails_hint", id=assignment.id))
    return CalibratedSolution(
        framework=reference_key(report.framework),
        version=report.framework_version or report.environment.python,
        device=report.device,
        trainings_s=tuple(clock.trainings_s),
        attempt_s=report.duration_s,
        needs=clock.needs,
        score=report.score,
        metrics=report.metrics,
    )


# --- kept -----------------------------------------------------------------------------------------------------------


def times_of(calibration: Calibration) -> dict[Reference, ReferenceTimes]:
    """Return the times that limits may follow from, by framework: not on a GPU, of other seeds, or on more data."""
    return {
        solution.framework: ReferenceTimes(
            training_s=round(max(solution.trainings_s, default=0.0), 2),
            attempt_s=round(solution.attempt_s, 1),
            needs=solution.needs,
        )
        for solution in calibration.solutions
        if calibration.is_reference and solution.device == "cpu"
    }


def keep(calibration: Calibration, assignment: LoadedAssignment) -> bool:
    """Note the times for this machine's limits; return whether that was possible and there were any."""
    times = times_of(calibration)
    if not times:
        return False
    known = measured_here(assignment.root)
    kept = known.model_copy(update={"times": known.times | {assignment.id: known.times.get(assignment.id, {}) | times}})
    path = calibration_file(assignment.root)
    try:
        history.prepare(assignment.root)
        path.parent.mkdir(exist_ok=True)
        history.write_whole(path, kept.model_dump_json(indent=2).encode())
    except OSError:  # a course that can't be written
        return False
    return True


def write_reference(calibration: Calibration, assignment: LoadedAssignment) -> Path:
    """Put the times into assignment.yml, leaving every other line as it is.

    Raises:
        UsageError: none of the times is one for other machines, or the file has them in a form of its own.
    """
    times = times_of(calibration)
    if not times:
        raise UsageError(text("calibrate.nothing_to_write"), hint=text("calibrate.nothing_to_write_hint"))
    path = assignment.folder / ASSIGNMENT_FILE
    spec = assignment.spec
    needs = spec.reference_needs | {key: one.needs for key, one in times.items() if one.needs != Needs()}
    wanted: dict[str, Any] = {
        "reference_s": spec.reference_s
        | {key: one.training_s for key, one in times.items() if spec.entry.trainings or one.training_s},
        "reference_attempt_s": spec.reference_attempt_s | {key: one.attempt_s for key, one in times.items()},
        "reference_needs": {key: one.model_dump(exclude_defaults=True) for key, one in needs.items() if one},
        "benchmark_s": spec.benchmark_s | dict.fromkeys(times, round(calibration.benchmark_s, 5)),
    }
    before = path.read_bytes().decode()
    wanted = {key: values for key, values in wanted.items() if values}  # an assignment without trainings has no times
    content, after = before.replace("\r\n", "\n"), ""
    for key, values in wanted.items():
        content, after = _with_line(content, key, _flow(values), after), key
    if not _reads_as(content, yaml.safe_load(before) | wanted):
        lines = "\n".join(f"{key}: {_flow(values)}" for key, values in wanted.items())
        raise UsageError(
            text("calibrate.cannot_write", file=path), hint=text("calibrate.cannot_write_hint", lines=lines)
        )
    history.write_whole(path, (content.replace("\n", "\r\n") if "\r\n" in before else content).encode())
    return path


def _reads_as(content: str, wanted: object) -> bool:
    try:
        return bool(yaml.safe_load(content) == wanted)
    except yaml.YAMLError:  # lines of the old value stand below the new one
        return False


def _flow(values: Mapping[str, Any]) -> str:
    shown = (f"{key}: {_flow(one) if isinstance(one, Mapping) else f'{one:g}'}" for key, one in values.items())
    return "{" + ", ".join(shown) + "}"


def _with_line(content: str, key: str, value: str, after: str = "") -> str:
    """Return YAML with a key at its top set to a value of one line; a comment behind it stays.

    Args:
        content: of the file.
        key: where it is missing, a new line is made.
        value: as YAML.
        after: the key that a new line is put behind; without, and where it is missing, the end.
    """
    line = _line_of(key).search(content)
    if line:
        return f"{content[: line.start()]}{key}: {value}{line['comment']}{content[line.end() :]}"
    before = _line_of(after).search(content) if after else None
    if before:
        return f"{content[: before.end()]}\n{key}: {value}{content[before.end() :]}"
    return f"{content.rstrip()}\n{key}: {value}\n"


def _line_of(key: str) -> re.Pattern[str]:
    return re.compile(
        rf"^{key}:[ \t]*(?:\{{[^{{}}\n]*(?:\{{[^{{}}\n]*\}}[^{{}}\n]*)*\}}|[^#\n]*?)(?P<comment>[ \t]*(?:#.*)?)$",
        re.MULTILINE,
    )
