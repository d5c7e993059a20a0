"""What a class run costs beyond the students' own training: warm judges and boxes against cold ones, side by side.

    python benchmarks/class_run.py [--submissions 16] [--framework torch] [--rounds 30]
    python benchmarks/class_run.py --validate [hw1 hw2 hw3]        # minutes

Submissions are the reference solution with a line of its own in each, so that nothing could be remembered, and as many
at a time as there are cores. Two overheads of a submission, both from wall time × cores / submissions:

- less the training of the very run, which the student's functions measure and print: what judge and box take;
- less the same trainings alone, in plain processes, just as many at a time (training.py; torch only): also that each
  box trains for the first time, and whatever slows a training beside another attempt's checks.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from timing import ROOT, table
from training import HW2_TORCH, environment, trainings_alone

from autograder.course import LoadedAssignment, load_course
from autograder.judge.judges import Judges, Pending, open_judges
from autograder.judge.options import AttemptOptions
from autograder.results import Outcome, Report, Status
from autograder.submission import Submission, read_file
from autograder.validate import validate

TIMED = """

import time as _time

def _timed(function):
    def run(*args, **kwargs):
        began = _time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            print(f"TOOK {{_time.perf_counter() - began:.6f}}")
    return run

_fit, predict = _timed(fit), _timed(predict)

def fit(x, y, *, seed=0, device="cpu"):
    return _fit(x, y, seed=seed, device=device)

# submission {number}
"""
HELLO = {
    "course.yml": "id: hello\ntitle: {en: Hello}\nassignments: [{id: hw1}]\n",
    "assignments/hw1_hello/assignment.yml": """\
id: hw1
title: {en: Hello}
points: 1
entry: {file: hello.py, names: [hello]}
seeds: [0]
tasks: [{id: "1", title: {en: Hello}, points: {public: 1}}]
""",
    "assignments/hw1_hello/tests/test_hello.py": '''\
import pytest

@pytest.mark.points(1, task="1")
def test_hello(submission):
    """hello says hello"""
    assert submission.hello() == "hello"
''',
    "hello.py": "def hello():\n    return 'hello'\n",
}


class Way(NamedTuple):
    """A way to make attempts."""

    name: str
    warm: bool
    isolation: str
    alone: bool = False  # nothing else computes here: where a core is idle, a box waits for the next attempt


WARM = Way("warm judges, sealed boxes", warm=True, isolation="auto")
SPARE = Way("the same, a spare box on an idle core", warm=True, isolation="auto", alone=True)
SEALED = Way("cold judges, sealed boxes", warm=False, isolation="auto")
COLD = Way("cold judges, cold boxes", warm=False, isolation="process")


class Run(NamedTuple):
    """What a run of many attempts took, in seconds: for each, with as many at a time as there were."""

    each: float
    training: float
    attempt: float  # the median of what an attempt took by the judge's own clock
    busy: float  # share of the processors' time, by whomever

    @property
    def overhead(self) -> float:
        """Everything beyond the student's own training."""
        return self.each - self.training


def reports_of(
    judges: Judges, assignment: LoadedAssignment, submissions: list[Submission], options: AttemptOptions, at_once: int
) -> list[Report]:
    """Run attempts, so many at a time."""
    waiting, running, reports = deque(submissions), list[Pending](), list[Report]()
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(judges.start(assignment, waiting.popleft(), options))
        for pending in judges.wait(running):
            running.remove(pending)
            reports.append(pending.result())
    return reports


def class_run(way: Way, framework: str, count: int, at_once: int) -> Run:
    """Grade `count` submissions to hw2 with all seeds and hidden checks; one before them warms up what can be."""
    assignment = load_course(ROOT).assignment("hw2")
    source = (ROOT / "solutions" / "hw2_mlp" / f"mlp_{framework}.py").read_text(encoding="utf-8")
    submissions = [
        Submission("mlp.py", {"mlp.py": (source + TIMED.format(number=number)).encode()}, "mlp.py")
        for number in range(count + at_once)
    ]
    options = AttemptOptions(hidden=True, full=True, device="cpu", isolation=way.isolation)
    with open_judges(at_once, warm=way.warm, alone=way.alone) as judges:
        reports_of(judges, assignment, submissions[:at_once], options, at_once)
        psutil.cpu_percent()
        began = time.perf_counter()
        reports = reports_of(judges, assignment, submissions[at_once:], options, at_once)
        wall, busy = time.perf_counter() - began, psutil.cpu_percent() / 100
    assert all(report.status in {Status.PASSED, Status.PARTIAL} for report in reports), [one.status for one in reports]
    return Run(
        wall * at_once / count,
        statistics.mean(map(training_of, reports)),
        statistics.median(report.duration_s for report in reports),
        busy,
    )


def training_of(report: Report) -> float:
    """Return the seconds that the student's functions took, as they printed it."""
    tails = " ".join(check.stdout_tail for check in report.checks)
    return sum(float(took) for took in re.findall(r"TOOK ([\d.]+)", tails))


def hellos(ways: tuple[Way, ...], rounds: int) -> dict[Way, float]:
    """Return the median seconds of an attempt with one check of one call, from the request to the report.

    The ways take turns, each with two attempts at a time: the second one finds what was made ready by the first.
    """
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as opened:
        for name, content in HELLO.items():
            path = Path(temporary, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        assignment = load_course(Path(temporary)).assignment("hw1")
        submission = read_file(Path(temporary, "hello.py"))
        judges = {way: opened.enter_context(open_judges(1, warm=way.warm, alone=way.alone)) for way in ways}
        taken: dict[Way, list[float]] = {way: [] for way in ways}
        for _ in range(rounds + 1):
            for way in ways:
                options = AttemptOptions(device="cpu", isolation=way.isolation)
                for seconds in ([], taken[way]):
                    began = time.perf_counter()
                    judges[way].start(assignment, submission, options).result()
                    seconds.append(time.perf_counter() - began)
    return {way: statistics.median(seconds[1:]) for way, seconds in taken.items()}


def attempts(framework: str, count: int, rounds: int) -> None:
    """Measure single attempts and a class run."""
    at_once = os.cpu_count() or 1
    took = hellos((SPARE, WARM, SEALED, COLD), rounds)
    rows = [
        (f"hello world: {way.name}", f"{1e3 * seconds:.0f} ms", f"{seconds / took[WARM]:.2f} × warm")
        for way, seconds in took.items()
    ]
    alone = trainings_alone(HW2_TORCH, at_once, environment()) if framework == "torch" else []
    runs = {way: class_run(way, framework, count, at_once) for way in (WARM, SEALED, COLD)}
    if alone:
        alone += trainings_alone(HW2_TORCH, at_once, environment())
        rows.append(("hw2 torch: trainings alone", f"{statistics.median(alone):.2f} s each", f"median of {len(alone)}"))
    for way, run in runs.items():
        than_alone = f", {run.each - statistics.median(alone):.2f} s over trainings alone" if alone else ""
        beside = f"{run.each:.2f} s each, training {run.training:.2f} s{than_alone}; {run.busy:.0%} busy; "
        beside += f"{run.each / runs[WARM].each:.2f} × warm"
        rows.append((f"hw2 {framework}: {way.name}", f"{run.overhead:.2f} s overhead", beside))
    load = os.getloadavg()[0]
    table(
        f"class run: {count} submissions, {at_once} at a time; hello world: medians of {rounds}; load {load:.1f}", rows
    )


@contextmanager
def isolation(name: str) -> Iterator[None]:
    """Have every box started with an isolation."""
    before = os.environ.get("GRADE_ISOLATION")
    os.environ["GRADE_ISOLATION"] = name
    try:
        yield
    finally:
        os.environ.pop("GRADE_ISOLATION") if before is None else os.environ.update(GRADE_ISOLATION=before)


def validations(ids: list[str]) -> None:
    """Prove assignments in each way, and compare the scores."""
    course = load_course(ROOT)
    assignments = [course.assignment(one) for one in (ids or course.assignment_folders())]
    found: dict[Way, tuple[float, list[tuple[str, float, tuple[str, ...]]]]] = {}
    for way in (WARM, SEALED, COLD):
        with isolation(way.isolation):
            validation = validate(assignments, warm=way.warm, tell=lambda *_: None)
        found[way] = (validation.duration_s, [_score(outcome) for outcome in validation.outcomes])
    seconds, scores = found[WARM]
    rows = [
        (way.name, f"{took:.0f} s, {took / seconds:.2f} × warm", "same scores" if came == scores else "OTHER SCORES")
        for way, (took, came) in found.items()
    ]
    table(f"grade validate {' '.join(one.id for one in assignments)}: {len(scores)} attempts", rows)


def _score(outcome: Outcome) -> tuple[str, float, tuple[str, ...]]:
    return f"{outcome.assignment} {outcome.title}", outcome.score, outcome.problems


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("assignments", nargs="*")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--submissions", type=int, default=16)
    parser.add_argument("--framework", default="torch", choices=["torch", "tensorflow"])
    parser.add_argument("--rounds", type=int, default=30)
    asked = parser.parse_args()
    if asked.validate:
        validations(asked.assignments)
    else:
        attempts(asked.framework, asked.submissions, asked.rounds)


if __name__ == "__main__":
    main()
