"""What a check, a metric and an attempt came to: the report that every output is made from.

The lowest layer. `Report` is published as JSON (`grade check --json`, schema in autograder/schema/report.schema.json);
raw metric values are kept, so that a changed threshold re-scores an attempt without running anything.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from autograder.limits import Needs

SCHEMA_VERSION: Literal[1] = 1


class Status(StrEnum):
    """How a check, or a whole attempt, ended (DESIGN §5). `internal` is our fault and never scores."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASHED = "crashed"
    FORBIDDEN = "forbidden"
    SKIPPED = "skipped"
    INTERNAL = "internal"


class Thresholds(NamedTuple):
    """What a metric must reach. `full` earns every point, `zero` none; between them it is linear, or linear in log."""

    better: str
    full: float
    zero: float
    scale: str = "linear"


class _Model(BaseModel):
    # NaN and inf are written as strings: bare NaN is not JSON, and null would lose which of them it was.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


# A training that diverged has no number; in JSON its value is a text.
_NOT_FINITE = {"enum": ["NaN", "Infinity", "-Infinity"]}
_Measured = Annotated[float, WithJsonSchema({"anyOf": [{"type": "number"}, _NOT_FINITE]})]


class MetricResult(_Model):
    """One measured value with its thresholds and what it earned."""

    value: _Measured = Field(description="the median over the seeds; what is not finite counts as the worst")
    values: tuple[_Measured, ...] = Field(description="one raw value a seed, as measured")
    better: Literal["higher", "lower"] = "lower"
    full: float | None = Field(None, description="the value that earns all points; none: shown, not graded")
    zero: float | None = Field(None, description="the value that earns nothing")
    scale: Literal["linear", "log"] = "linear"
    score: float = Field(0.0, ge=0, description="points earned")
    max_points: float = Field(0.0, ge=0, description="points worth")


class Note(_Model):
    """Something the box told beside its answers. A claim: it never changes a score or a status."""

    kind: str
    text: str = Field(description="in the report's language")
    times: int = Field(1, ge=1, description="how often, as far as was counted")


class CellPart(_Model):
    """Something that a cell of a notebook showed while the notebook was run: a text, or a figure. A claim."""

    text: str = ""
    png: str = Field("", description="a figure, in Base64")


class CheckResult(_Model):
    """One check: what it was worth, what it earned, and what the student reads about it."""

    id: str = Field(description="test_file::test_name")
    task: str
    title: str = Field(description="the check's sentence, in the report's language")
    status: Status
    score: float = Field(ge=0)
    max_points: float = Field(ge=0, description="0: outside the task asked for, which needs it")
    hidden: bool
    message: str = Field("", description="what happened, in plain words; empty where it passed")
    expected: str = ""
    came: str = ""
    hint: str = Field("", description="one concrete thing to try")
    frames: tuple[str, ...] = Field((), description="the student's own frames, innermost last")
    staff_note: str = Field("", description="for staff only: a full traceback, a hidden check's error text")
    killed: bool = Field(
        default=False,
        description="its box was killed, and not for a limit: by the student's code itself, or by the system",
    )
    measured: str = Field("", description="class runs: a hash of all that the result hangs on beside the submission")
    taken_over: bool = Field(
        default=False,
        description="class runs: the result of an earlier attempt, as nothing that it hangs on has changed",
    )
    metrics: dict[str, MetricResult] = {}
    duration_s: float = Field(0.0, ge=0)
    stdout_tail: str = Field("", description="the end of what the student's code printed in this check")
    notes: tuple[Note, ...] = Field((), description="what the box told beside its answers")


class Environment(_Model):
    """Where the student's code ran. What the box says of itself is a claim, not evidence."""

    python: str = ""
    python_path: str = Field("", description="the interpreter, where it is not the one that grade runs with")
    numpy: str | None = None
    torch: str | None = None
    tensorflow: str | None = None
    platform: str = ""
    threads: int = 0


class Report(_Model):
    """One attempt. `score` and `max_points` cover the checks that were run."""

    schema_version: Literal[1] = SCHEMA_VERSION
    assignment: str
    submission: str = Field(description="the file's name, without its folder")
    submission_sha256: str
    score: float = Field(ge=0)
    max_points: float = Field(ge=0)
    status: Status
    message: str = Field("", description="what kept every check from running, where something did")
    isolation: Literal["namespaces", "bwrap", "restricted", "process"]
    isolation_missing: str = Field(
        "", description="why nothing stricter than `restricted` can be had on this machine, where that is so"
    )
    device: str
    device_name: str = ""
    device_memory: int = Field(0, ge=0, description="bytes of the device's memory; 0: not known, or the cpu")
    device_problem: str = Field("", description="why an accelerator could not be asked for, in the framework's words")
    framework: str | None
    data: Literal["", "embedded", "full"] = Field("", description="the part of the assignment's dataset that was used")
    started_at: str = Field(description="ISO 8601 with time zone")
    duration_s: float = Field(ge=0)
    checks: tuple[CheckResult, ...]
    metrics: dict[str, MetricResult] = {}
    notes: tuple[Note, ...] = Field((), description="what public checks' boxes told beside their answers, each once")
    cells: tuple[tuple[CellPart, ...], ...] = Field(
        (), description="what each code cell of a notebook showed, in order, where that was asked for"
    )
    hidden_points_not_run: float = Field(0.0, description="worth of the hidden checks that were not run here")
    environment: Environment
    seeds: tuple[int, ...]
    autograder_version: str
    checks_sha256: str

    @property
    def framework_version(self) -> str | None:
        """The version of the framework that the submission computes with, as the box tells it."""
        return {"torch": self.environment.torch, "tensorflow": self.environment.tensorflow}.get(self.framework or "")

    def redacted(self) -> Report:
        """Return the report as a student may see it.

        Error text and output of the student's own code under a hidden check can carry hidden inputs
        (`raise ValueError(str(x))`), and what it measures is named after what is hidden, so everything but the
        sentence, the status and the points goes.
        """
        checks = tuple(_without_secrets(check) for check in self.checks)
        metrics = {name: metric for check in checks for name, metric in check.metrics.items()}
        update: dict[str, object] = {"checks": checks, "metrics": metrics}
        if any(check.hidden for check in checks):
            # SECURITY: the attempt's time less the public checks' would be the hidden ones' together.
            update["duration_s"] = sum(check.duration_s for check in checks)
        return self.model_copy(update=update)


def _without_secrets(check: CheckResult) -> CheckResult:
    update: dict[str, object] = {"staff_note": "", "measured": ""}
    if check.hidden:
        update |= {"message": "", "expected": "", "came": "", "frames": (), "stdout_tail": "", "metrics": {},
                   "notes": (), "duration_s": 0.0}  # fmt: skip
        # SECURITY: the time goes, too. The code can sleep as long as an input is large: one number a check.
        # The check's own hint is the instructor's; one that was chosen for an exception may quote it.
        if check.status is not Status.PARTIAL and not check.expected:
            update["hint"] = ""
    return check.model_copy(update=update)


class DatasetState(_Model):
    """A dataset that is known, and where it lies on this machine."""

    name: str
    folder: str | None = Field(description="none: it is not here")
    download_bytes: int
    licence: str


class CalibratedSolution(_Model):
    """What a reference solution took and reached on this machine."""

    framework: Literal["python", "torch", "tensorflow"]
    version: str
    device: str
    trainings_s: tuple[float, ...] = Field(description="seconds of each training")
    attempt_s: float = Field(description="seconds of the attempt with all checks and seeds")
    needs: Needs = Field(Needs(), description="the most that any box took")
    score: float
    metrics: dict[str, MetricResult]


class Calibration(_Model):
    """What `grade calibrate` came to."""

    assignment: str
    data: Literal["", "embedded", "full"]
    seeds: tuple[int, ...]
    benchmark_s: float = Field(description="how fast this machine is")
    is_reference: bool = Field(description="with the assignment's own seeds and data: limits may follow from its times")
    solutions: tuple[CalibratedSolution, ...]


class Outcome(_Model):
    """What proving one thing of an assignment came to: a solution, the stub, a wrong answer."""

    assignment: str
    title: str
    score: float = 0.0
    max_points: float = 0.0
    duration_s: float = 0.0
    problems: tuple[str, ...] = Field((), description="none: as expected")


class Validation(_Model):
    """What `grade validate` came to."""

    outcomes: tuple[Outcome, ...]
    duration_s: float

    @property
    def problems(self) -> int:
        """How many problems there are, one that several attempts have counted once."""
        return len({(outcome.assignment, problem) for outcome in self.outcomes for problem in outcome.problems})
