"""`grade validate`: an assignment proves itself.

Every solution scores full on public and hidden checks with all seeds, the untouched stub scores nothing and says that
it is not implemented yet, and every wrong answer fails the checks that are named for it and stays within its score.

    plan ──▶ attempts, one per core ──▶ judge each ──▶ Outcome (its problems; none: as expected)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from autograder import yaml_file
from autograder.assignment import Framework
from autograder.course import LoadedAssignment
from autograder.errors import GradeError
from autograder.judge.judges import Judges, Pending, Refused, one_per_core, open_judges
from autograder.judge.options import AttemptOptions
from autograder.messages import Text, text
from autograder.release import StubState, release_stubs
from autograder.results import CheckResult, Outcome, Report, Status, Validation
from autograder.submission import read_file

EXPECT_FILE = "expect.yml"
MIN_WRONG = 8  # wrong answers an assignment should have: fewer leave checks that nothing has ever failed
_TOLERANCE = 1e-6  # points; scores are sums of floats


def _range(value: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= value[0] <= value[1]:
        raise ValueError(text("config.score_range"))
    return value


class Expect(BaseModel):
    """expect.yml: what a wrong answer must come to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    framework: Framework | None = None
    why: Text
    fails: tuple[str, ...]
    may_fail: tuple[str, ...] = ()
    score: Annotated[tuple[float, float], AfterValidator(_range)]
    run: Literal["fails", "all"] = "fails"

    @model_validator(mode="after")
    def _proves_something(self) -> Self:
        """`fails: []` is for a mistake that no check can see: only with all of them run does that mean anything."""
        if not self.fails and self.run == "fails":
            raise ValueError(text("config.nothing_fails"))
        return self


@dataclass(frozen=True)
class Job:
    """One attempt to be made, and what is expected of it."""

    assignment: LoadedAssignment
    kind: Literal["solution", "stub", "wrong"]
    file: Path
    expect: Expect | None = None
    python: str | None = None  # to run the boxes with; None: grade's own

    @property
    def title(self) -> str:
        """What the table calls it."""
        if self.kind == "wrong":
            return text("validate.wrong", name=self.file.parent.name)
        return f"{text(f'validate.{self.kind}')} {self.file.name}"


# --- plan -----------------------------------------------------------------------------------------------------------


def plan(assignment: LoadedAssignment) -> tuple[list[Job], list[Outcome]]:
    """Return the attempts that prove an assignment, and the problems that can be seen without any."""
    jobs: list[Job] = []
    seen: list[Outcome] = []
    for name in assignment.stub_names:
        jobs.append(Job(assignment, "solution", assignment.solutions / name))
        jobs.append(Job(assignment, "stub", assignment.folder / name))
    for stub in release_stubs(assignment, write=False):
        if stub.state is StubState.STALE:
            problem = text("validate.stub_stale", file=stub.path.name)
            seen.append(Outcome(assignment=assignment.id, title=stub.path.name, problems=(problem,)))
    wrong = sorted((assignment.solutions / "wrong").glob(f"*/{EXPECT_FILE}"))
    if len(wrong) < MIN_WRONG:
        problem = text("validate.few_wrong" if wrong else "validate.no_wrong", count=len(wrong), least=MIN_WRONG)
        seen.append(Outcome(assignment=assignment.id, title="wrong/", problems=(problem,)))
    for path in wrong:
        files = [file for file in sorted(path.parent.iterdir()) if file.suffix in {".py", ".ipynb"}]
        if len(files) != 1:
            seen.append(
                Outcome(assignment=assignment.id, title=path.parent.name, problems=(text("validate.one_file"),))
            )
            continue
        jobs.append(Job(assignment, "wrong", files[0], yaml_file.validate(yaml_file.read(path), Expect)))
    return jobs, seen


# --- run ------------------------------------------------------------------------------------------------------------


def outcome_of(job: Job, result: Callable[[], Report], began: float) -> Outcome:
    """Compare what an attempt came to with what is expected. Errors become problems: the others go on.

    Args:
        job: the attempt.
        result: gives its report, or raises why there is none.
        began: when it was started, by the monotonic clock.
    """
    try:
        report = result()
        problems = tuple(_judge(job, report))
        score, most = report.score, report.max_points
    except (GradeError, OSError) as error:
        problems, score, most = (text("validate.failed", problem=error),), 0.0, 0.0
    return Outcome(
        assignment=job.assignment.id,
        title=job.title,
        score=score,
        max_points=most,
        duration_s=time.monotonic() - began,
        problems=problems,
    )


def options_of(job: Job) -> AttemptOptions:
    """Solutions run as a class run does; what must fail needs one seed, and only the checks that decide it."""
    only = job.expect.fails if job.expect is not None and job.expect.run == "fails" else ()
    return AttemptOptions(hidden=job.assignment.has_hidden, full=job.kind == "solution", checks=only, python=job.python)


def _judge(job: Job, report: Report) -> Iterator[str]:
    for check in report.checks:
        if check.status is Status.INTERNAL:
            yield text("validate.internal", check=check.id, message=check.message)
    if job.kind == "solution":
        yield from _judge_solution(job, report)
    elif job.kind == "stub":
        yield from _judge_stub(report)
    elif job.expect is not None:
        yield from _judge_wrong(job.expect, job.assignment.spec.points, report)


def _judge_solution(job: Job, report: Report) -> Iterator[str]:
    # A broken check is told already, and what needs it is skipped for nothing else.
    internal = any(check.status is Status.INTERNAL for check in report.checks)
    as_meant = {Status.PASSED, Status.INTERNAL, Status.SKIPPED} if internal else {Status.PASSED}
    short = [check for check in report.checks if check.status not in as_meant]
    if short or (abs(report.score - job.assignment.spec.points) > _TOLERANCE and not internal):
        checks = "; ".join(f"{check.id} {check.message or check.status} {check.came}".strip() for check in short)
        yield text(
            "validate.not_full", score=f"{report.score:g}", most=f"{job.assignment.spec.points:g}", checks=checks
        )
    for name in job.assignment.spec.metrics if not short and not internal else ():
        if name not in report.metrics:
            yield text("validate.metric_unused", name=name)


def _judge_stub(report: Report) -> Iterator[str]:
    if report.score > 0:
        yield text("validate.stub_scores", score=f"{report.score:g}")
    said = text("check.not_implemented")
    for check in report.checks:
        told = check.status in {Status.SKIPPED, Status.INTERNAL}
        if not told and not check.message.startswith(said):
            yield text("validate.stub_status", check=check.id, message=check.message or check.status)


def _judge_wrong(expect: Expect, points: float, report: Report) -> Iterator[str]:
    by_name = {check.id.split("::")[1]: check for check in report.checks}
    for name in expect.fails:
        if name not in by_name:
            yield text("config.no_such_check", name=name)
        elif not _fails(by_name[name]):
            yield text("validate.should_fail", check=name, status=by_name[name].status)
    low, high = expect.score
    if high > points + _TOLERANCE:
        yield text("config.score_range")
    if expect.run == "fails":
        most = points - (report.max_points - report.score)
        if most > high + _TOLERANCE:
            yield text("validate.upper_bound", score=f"{most:g}", high=f"{high:g}")
        return
    yield from _judge_other_checks(expect, by_name)
    if not low - _TOLERANCE <= report.score <= high + _TOLERANCE:
        yield text("validate.score_range", score=f"{report.score:g}", low=f"{low:g}", high=f"{high:g}")


def _judge_other_checks(expect: Expect, by_name: dict[str, CheckResult]) -> Iterator[str]:
    for name in expect.may_fail:
        if name not in by_name:
            yield text("config.no_such_check", name=name)
    for name, check in by_name.items():
        if _fails(check) and name not in {*expect.fails, *expect.may_fail}:
            yield text("validate.should_pass", check=name, status=check.status)


def _fails(check: CheckResult) -> bool:
    """Whether a check says that the answer is wrong. An internal error says nothing about the answer."""
    return check.status not in {Status.PASSED, Status.INTERNAL}


def validate(
    assignments: list[LoadedAssignment],
    *,
    workers: int | None = None,
    python: str | None = None,
    warm: bool = True,
    tell: Callable[[int, int, str], None],
) -> Validation:
    """Prove assignments.

    Args:
        assignments: which.
        workers: attempts at a time; None: one per core.
        python: to run the boxes with; None: grade's own.
        warm: judges are forked with the checks loaded, where this system can do that; off to compare.
        tell: called with (attempts done, attempts in all, what ended).

    Raises:
        ConfigError: an expect.yml is wrong, or a solution has no regions.
    """
    began = time.monotonic()
    jobs: list[Job] = []
    outcomes: list[Outcome] = []
    for assignment in assignments:
        more, seen = plan(assignment)
        jobs += [replace(job, python=python) for job in more]
        outcomes += seen
    for done, outcome in enumerate(_run_all(jobs, workers or one_per_core(), warm=warm), start=1):
        outcomes.append(outcome)
        tell(done, len(jobs), f"{outcome.assignment} {outcome.title}")
    order = {(job.assignment.id, job.title): position for position, job in enumerate(jobs)}
    outcomes.sort(key=lambda outcome: order.get((outcome.assignment, outcome.title), -1))
    return Validation(outcomes=tuple(outcomes), duration_s=time.monotonic() - began)


def _run_all(jobs: list[Job], at_once: int, *, warm: bool) -> Iterator[Outcome]:
    # Solutions first: with all seeds they take longest, and would be waited for at the end.
    waiting = deque(sorted(jobs, key=lambda job: job.kind != "solution"))
    running: dict[Pending, tuple[Job, float]] = {}
    with open_judges(at_once, warm=warm) as judges:
        while waiting or running:
            while waiting and len(running) < at_once:
                job, began = waiting.popleft(), time.monotonic()
                running[_start(job, judges)] = (job, began)
            for pending in judges.wait(running):
                job, began = running.pop(pending)
                yield outcome_of(job, pending.result, began)


def _start(job: Job, judges: Judges) -> Pending:
    try:
        submission = read_file(job.file)
    except (GradeError, OSError) as error:
        return Refused(error)
    return judges.start(job.assignment, submission, options_of(job))
