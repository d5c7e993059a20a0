"""One attempt's state while its checks run: boxes, the check that is running, results so far. No pytest in here."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from autograder import datasets
from autograder.box.interpreter import Interpreter, ours
from autograder.box.spec import BoxSpec
from autograder.course import LoadedAssignment
from autograder.datasets import Split
from autograder.judge import torchvision
from autograder.judge.advice import Advice
from autograder.judge.boxes import Boxes
from autograder.judge.calls import CheckMistake
from autograder.judge.isolation import Choice, Wanted, choose_isolation
from autograder.judge.limit_words import Allowed
from autograder.judge.marker import CheckSpec
from autograder.judge.near_miss import Handout, handout_of
from autograder.judge.options import AttemptOptions, DataChoice, private_folders
from autograder.judge.time_limits import limits_for, reference_times
from autograder.judge.verdict import PASSED, Verdict, verdict_of
from autograder.messages import text
from autograder.results import CheckResult, MetricResult, Status
from autograder.score import graded_status, median_of_seeds, score_metric
from autograder.submission import Submission

if TYPE_CHECKING:
    from autograder.box.spares import Spare


def is_in_task(task_id: str, asked: str) -> bool:
    """Whether a task is the one asked for, or a part of it: 2.1 is in 2."""
    return task_id == asked or task_id.startswith(f"{asked}.")


def data_in_use(assignment: LoadedAssignment, asked: DataChoice) -> Literal["", "embedded", "full"]:
    """Return which part of an assignment's dataset its checks are given; empty where it has none."""
    if assignment.spec.dataset is None:
        return ""
    return "full" if assignment.embedded_data is None else asked


def read_dataset(assignment: LoadedAssignment, asked: DataChoice | Literal[""]) -> Split:
    """Read what an assignment's checks are given.

    Raises:
        UsageError: it is not on this machine.
        CheckMistake: the assignment has none.
    """
    dataset, embedded = assignment.spec.dataset, assignment.embedded_data
    if dataset is None:
        raise CheckMistake("the fixture `dataset` is for assignments with `dataset:` in assignment.yml")
    if asked == "full" or embedded is None:
        return datasets.load(datasets.DATASETS[dataset.name])
    return datasets.load_folder(embedded)


def data_ratio(assignment: LoadedAssignment, asked: DataChoice, dataset: Split | None) -> float:
    """How many times as many examples there are as in the part that reference times are measured on.

    Args:
        assignment: whose.
        asked: which part of its dataset was asked for.
        dataset: that part.
    """
    embedded = assignment.embedded_data
    if dataset is None or embedded is None or data_in_use(assignment, asked) != "full":
        return 1.0
    return len(dataset.train.labels) / len(datasets.load_folder(embedded).train.labels)


def mounted_folders(assignment: LoadedAssignment) -> dict[str, Path]:
    """Return the folders of the files that an assignment mounts in boxes, by the datasets' names."""
    return {name: datasets.packed_folder(datasets.DATASETS[name]) for name in assignment.spec.mounts}


def isolation_of(
    assignment: LoadedAssignment, submission: Submission, options: AttemptOptions, python: Interpreter
) -> Choice:
    """Choose how the attempt's boxes are closed.

    Raises:
        UsageError: what was asked for can't be had.
    """
    wanted = Wanted(
        options.isolation,
        options.device,
        options.grant,
        submission.frameworks,
        private_folders(assignment),
        processes=assignment.limits.processes,
        for_class=options.for_class,
    )
    choice = choose_isolation(wanted, python)
    if choice.why:
        options.listener.notice(text("isolation.without_seal", why=choice.why))
    return choice


class Ready(NamedTuple):
    """What need not be found out once more for each attempt."""

    choice: Choice | None = None
    """How the boxes are closed; None: as the options come to on this machine."""
    dataset: Split | None = None
    """What the checks are given, where it has been read."""
    benchmark_s: float | None = None
    """How fast this machine is."""
    spare: Spare | None = None
    """A box that waits for a submission."""


class JudgeSession:
    """Runs nothing by itself: the plugin tells it which check begins and what it raised.

    Args:
        assignment: what is checked.
        submission: what was handed in.
        options: how.
        python: to run the boxes with; None: grade's own.
        ready: what has been found out before.
    """

    def __init__(
        self,
        assignment: LoadedAssignment,
        submission: Submission,
        options: AttemptOptions,
        python: Interpreter | None = None,
        ready: Ready | None = None,
    ) -> None:
        self.assignment, self.submission, self.options = assignment, submission, options
        self.python = python or ours()
        ready = ready or Ready()
        self.seeds = options.seeds or (assignment.spec.seeds if options.full else assignment.spec.seeds[:1])
        self.results: dict[str, CheckResult] = {}  # by the function's name
        self._only_needed: frozenset[str] = frozenset()
        self._order: list[str] = []
        self._hidden: list[str] = []
        self._recorded: dict[str, list[float]] = {}
        self._began = 0.0
        self._dataset = ready.dataset
        if assignment.spec.dataset is not None:
            self.dataset()  # now: in a check, a dataset that is not on this machine would be the check's mistake
        ratio = data_ratio(assignment, options.data, self._dataset)
        self.reference = reference_times(assignment, submission.framework(), ratio, ready.benchmark_s)
        self.limits = limits_for(assignment.limits, self.reference)
        choice = ready.choice or isolation_of(assignment, submission, options, self.python)
        self.isolation_missing = choice.missing
        self.boxes = Boxes(
            BoxSpec(
                files=submission.files,
                main=submission.main,
                frameworks=submission.frameworks,
                device=options.device,
                limits=self.limits,
                notebook=bool(submission.cells),
                cells=tuple(cell.line for cell in submission.cells),
                show_cells=options.show_cells,
                python=self.python,
                isolation=choice.isolation,
                grant=choice.grant,
                datasets=mounted_folders(assignment),
            ),
            assignment.spec.entry,
            options.listener,
            ready.spare,
        )

    @property
    def data(self) -> Literal["", "embedded", "full"]:
        """Which part of the assignment's dataset the checks are given; empty where it has none."""
        return data_in_use(self.assignment, self.options.data)

    def dataset(self) -> Split:
        """Return what the checks train and measure with. It is read once."""
        if self._dataset is None:
            self._dataset = read_dataset(self.assignment, self.data)
        return self._dataset

    def wants(self, check: CheckSpec) -> bool:
        """Whether the options ask for this check."""
        tasks, functions = self.options.tasks, self.options.checks
        if tasks and not any(is_in_task(check.task, task) for task in tasks):
            return False
        return not functions or check.name in functions or check.name.split("[")[0] in functions

    def chosen(self, checks: list[CheckSpec]) -> frozenset[str]:
        """Return the names of the checks to run: those asked for, and for a task also what they need elsewhere.

        Otherwise a task would score more by itself than in the full run. What is only needed earns nothing.
        """
        by_name = {check.name: check for check in checks}
        wanted = frozenset(check.name for check in checks if self.wants(check))
        run, waiting = set(wanted), sorted(wanted) if self.options.tasks else []
        while waiting:
            new = [name for name in by_name[waiting.pop()].needs if name in by_name and name not in run]
            run.update(new)
            waiting += new
        self._only_needed = frozenset(run) - wanted
        return frozenset(run)

    def reported(self) -> tuple[CheckResult, ...]:
        """Return the results that the report is made of: those asked for, and what they needed where it failed."""
        return tuple(
            result if name not in self._only_needed else _without_points(result)
            for name, result in self.results.items()
            if name not in self._only_needed or not _is_met(result)
        )

    def expect(self, checks: list[CheckSpec]) -> None:
        """Note the checks that will be run, in this order."""
        self._order = [check.name for check in checks]
        self._hidden = [check.name for check in checks if check.hidden]

    def begin(self, check: CheckSpec) -> None:
        """A check begins."""
        self._began = time.monotonic()
        self._recorded = {}
        self.options.listener.check_started(str(check.title), len(self.results) + 1, len(self._order))
        left = sum(name not in self.results and name != check.name for name in self._hidden)
        self.boxes.begin_check(hidden=check.hidden, hidden_left=left)

    def unmet_need(self, check: CheckSpec) -> str:
        """Return why the check says nothing now: an earlier one that it needs failed. Empty where none did."""
        for name in check.needs:
            needed = self.results.get(name)
            if needed is not None and not _is_met(needed):
                return text("check.skipped", needed=needed.title)
        return ""

    def record(self, name: str, value: float) -> None:
        """Record one value of a metric of the running check.

        Raises:
            CheckMistake: the check has another graded metric already.
        """
        self._recorded.setdefault(name, []).append(float(value))
        graded = [known for known in self._recorded if known in self.assignment.spec.metrics]
        if len(graded) > 1:
            raise CheckMistake(f"a check has one graded metric; this one has {' and '.join(graded)}")

    def finish(self, check: CheckSpec, error: BaseException | None, *, skipped: str = "") -> CheckResult:
        """A check has ended: with an exception, with None, or it was skipped for a reason."""
        advice = self.boxes.end_check()
        verdict = Verdict(Status.SKIPPED, skipped) if skipped else self.verdict(error, check.hint)
        result = self._result(check, verdict, advice)
        self.results[check.name] = result
        self.options.listener.check_finished(result)
        return result

    def verdict(self, error: BaseException | None, hint: str = "") -> Verdict:
        """Return the verdict on what a check, or the import, raised; `hint` is the check's own."""
        if error is None:
            return PASSED
        allowed = Allowed(self.limits, self.reference)
        return torchvision.lacking(error, self.submission, self.python) or verdict_of(
            error, self.submission, hint, self._handout, allowed
        )

    @cached_property
    def _handout(self) -> Handout:
        return handout_of(self.assignment, self.submission.framework())

    def _result(self, check: CheckSpec, verdict: Verdict, advice: Advice) -> CheckResult:
        earns = verdict.status is Status.PASSED
        metrics = {name: self._metric(name, values, check.points, earns) for name, values in self._recorded.items()}
        graded = next((metric for metric in metrics.values() if metric.max_points > 0), None)
        score = (graded.score if graded else check.points) if earns else 0.0
        status = graded_status(score, check.points) if earns else verdict.status
        hint = verdict.hint
        if earns and status is not Status.PASSED:
            hint = check.hint
        return CheckResult(
            id=check.id,
            task=check.task,
            title=str(check.title),
            status=status,
            score=score,
            max_points=check.points,
            hidden=check.hidden,
            message=verdict.message,
            expected=verdict.expected,
            came=verdict.came,
            hint=hint,
            frames=verdict.frames,
            staff_note=verdict.staff_note,
            killed=verdict.killed,
            metrics=metrics,
            duration_s=time.monotonic() - self._began,
            stdout_tail=advice.printed,
            notes=advice.notes,
        )

    def _metric(self, name: str, values: list[float], points: float, earns: bool) -> MetricResult:  # noqa: FBT001
        declared = self.assignment.spec.metrics.get(name)
        if declared is None:
            return MetricResult(value=median_of_seeds(values, "lower"), values=tuple(values))
        return score_metric(values, declared.thresholds(full_data=self.data == "full"), points if earns else 0.0)


def _is_met(needed: CheckResult) -> bool:
    return needed.status in {Status.PASSED, Status.PARTIAL}


def _without_points(result: CheckResult) -> CheckResult:
    metrics = {name: one.model_copy(update={"score": 0.0, "max_points": 0.0}) for name, one in result.metrics.items()}
    return result.model_copy(update={"score": 0.0, "max_points": 0.0, "metrics": metrics})
