"""assignment.yml as frozen models: what is asked for, how it is checked, and what it is worth."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from autograder.datasets.registry import DATASETS
from autograder.limits import Needs
from autograder.messages import Text, text
from autograder.results import Thresholds

FRAMEWORKS = ("torch", "tensorflow")
POINTS_TOLERANCE = 1e-9  # sums of points such as 0.1 + 0.2

Framework = Literal["torch", "tensorflow"]
Reference = Literal["python", "torch", "tensorflow"]  # python: a solution that needs no framework


class StrictModel(BaseModel):
    """What course.yml and assignment.yml say: a key that nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _identifier(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", value):
        raise ValueError(text("config.bad_id", id=value))
    return value


Identifier = Annotated[str, AfterValidator(_identifier)]


class Points(StrictModel):
    """What a task is worth."""

    public: float = Field(0, ge=0)
    hidden: float = Field(0, ge=0)


class Task(StrictModel):
    """A numbered part of an assignment."""

    id: str
    title: Text
    points: Points


class CheckText(StrictModel):
    """What assignment.yml adds to a check; the English sentence is the check's docstring."""

    zh: str | None = None
    hint: Text | None = None


class Anchors(StrictModel):
    """The two values of a metric between which points grow."""

    full: float
    zero: float


class Metric(StrictModel):
    """A metric's thresholds: `full` earns every point, `zero` none (DESIGN §6)."""

    better: Literal["higher", "lower"]
    full: float
    zero: float
    scale: Literal["linear", "log"] = "linear"
    statistic: Literal["median"] = "median"
    on_full_data: Anchors | None = Field(None, description="what counts with `--data full`; otherwise the same")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for one in (self, self.on_full_data or self):
            if (one.full > one.zero) != (self.better == "higher") or one.full == one.zero:
                raise ValueError(text("config.thresholds_order", better=self.better, full=one.full, zero=one.zero))
            if self.scale == "log" and min(one.full, one.zero) <= 0:
                raise ValueError(text("config.thresholds_log"))
        return self

    def thresholds(self, *, full_data: bool = False) -> Thresholds:
        """Return the thresholds as scoring takes them."""
        anchors = self.on_full_data if full_data and self.on_full_data else self
        return Thresholds(self.better, anchors.full, anchors.zero, self.scale)


def _known_dataset(name: str) -> str:
    if name not in DATASETS:
        raise ValueError(text("config.no_dataset", name=name, known=", ".join(DATASETS)))
    return name


DatasetName = Annotated[str, AfterValidator(_known_dataset)]


class DatasetUse(StrictModel):
    """The dataset that an assignment's checks train and measure with."""

    name: DatasetName
    embedded: str | None = Field(
        None, pattern=r"^[\w-]+$", description="a folder beside assignment.yml with a part of it, used by default"
    )


class Entry(StrictModel):
    """The file that students hand in, and what it must define."""

    file: str = Field(pattern=r"^[^/\\]+\.py$")
    names: tuple[str, ...] = Field(min_length=1)
    trainings: tuple[str, ...] = Field((), description="functions that train: memoised, isolated in hidden checks")
    keeps: tuple[str, ...] = Field((), description="more functions whose result stays in the box, whatever it is")


class Assignment(StrictModel):
    """assignment.yml: what is asked for and what it is worth."""

    id: Identifier
    title: Text
    points: float = Field(gt=0)
    frameworks: tuple[Framework, ...] = Field((), description="those the student may choose from")
    entry: Entry
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    tasks: tuple[Task, ...] = Field(min_length=1)
    checks: dict[str, CheckText] = {}
    metrics: dict[str, Metric] = {}
    dataset: DatasetUse | None = None
    mounts: tuple[DatasetName, ...] = Field(
        (), description="datasets that the student's own code may load, in boxes of public checks only"
    )
    notebooks: bool = Field(
        default=True, description="whether `grade release` makes notebooks of the handouts and solutions"
    )
    limits: dict[str, float] = Field({}, description="overrides course.yml's limits, key by key")
    # The next four are written by `grade calibrate --write`.
    reference_s: dict[Reference, float] = Field({}, description="seconds of the reference solution's longest training")
    reference_attempt_s: dict[Reference, float] = Field(
        {}, description="seconds of an attempt with all checks and seeds"
    )
    reference_needs: dict[Reference, Needs] = Field({}, description="what it takes of memory, processors and files")
    benchmark_s: dict[Reference, float] = Field({}, description="how fast the machine was that each was measured on")

    @model_validator(mode="after")
    def _points_add_up(self) -> Self:
        total = sum(task.points.public + task.points.hidden for task in self.tasks)
        if abs(total - self.points) > POINTS_TOLERANCE:
            raise ValueError(text("config.points_sum", total=f"{total:g}", points=f"{self.points:g}"))
        ids = [task.id for task in self.tasks]
        if len(set(ids)) < len(ids):
            raise ValueError(text("config.task_twice", ids=", ".join(ids)))
        return self

    def task(self, task_id: str) -> Task | None:
        """Return the task of that id."""
        return next((task for task in self.tasks if task.id == task_id), None)

    @property
    def hidden_points(self) -> float:
        """What the hidden checks are worth."""
        return sum(task.points.hidden for task in self.tasks)
