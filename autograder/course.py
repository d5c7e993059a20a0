"""course.yml and assignment.yml as frozen models, loaded once. Errors name file, line, key and what was expected."""

from __future__ import annotations

import difflib
import hashlib
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from autograder import yaml_file
from autograder.assignment import Assignment, Identifier, StrictModel
from autograder.errors import ConfigError, UsageError
from autograder.late_policy import LatePolicy, LateTerms
from autograder.limits import LEAST_TRAINING_S, Limits
from autograder.mail_settings import MailSettings
from autograder.messages import Text, text

COURSE_FILE = "course.yml"
_MOST_BELOW = 5  # named where there is none here
ASSIGNMENT_FILE = "assignment.yml"


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(text("config.bad_zone", zone=value)) from None
    return value


def _moment(value: object) -> object:
    """YAML reads 2026-10-12 as a date; a deadline needs an hour."""
    if isinstance(value, datetime) or (isinstance(value, str) and ":" in value):
        return value
    raise ValueError(text("config.bad_due", came=value))


class AssignmentEntry(StrictModel):
    """One assignment in course.yml."""

    id: Identifier
    due: Annotated[datetime, BeforeValidator(_moment)] | None = Field(
        None, description="without an offset, in the course's time zone"
    )
    weight: float = Field(1, ge=0, description="its share of the course's grade")
    late: LateTerms = Field(LateTerms(), description="overrides the course's `late`, key by key")


class Course(StrictModel):
    """course.yml: the course, its assignments, defaults for limits."""

    id: Identifier
    title: Text
    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="an IANA name: Asia/Shanghai")
    limits: Limits = Limits()
    late: LatePolicy = LatePolicy()
    mail: MailSettings = MailSettings()
    assignments: tuple[AssignmentEntry, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [entry.id for entry in self.assignments]
        for one in ids:
            if ids.count(one) > 1:
                raise ValueError(text("config.assignment_twice", id=one))
        return self

    def late_policy(self, assignment_id: str) -> LatePolicy:
        """Return what late work costs in an assignment."""
        own = next((entry.late for entry in self.assignments if entry.id == assignment_id), LateTerms())
        return self.late.with_terms(own)

    def due(self, assignment_id: str) -> datetime | None:
        """Return the due date with its time zone, or None where there is none."""
        for entry in self.assignments:
            if entry.id == assignment_id and entry.due is not None:
                return entry.due if entry.due.tzinfo else entry.due.replace(tzinfo=ZoneInfo(self.timezone))
        return None


class LoadedAssignment(BaseModel):
    """An assignment with where it lies and the limits in force."""

    model_config = ConfigDict(frozen=True)

    spec: Assignment
    folder: Path
    root: Path  # of the course
    solutions: Path
    limits: Limits

    @property
    def id(self) -> str:
        """The assignment's id."""
        return self.spec.id

    @property
    def tests(self) -> Path:
        """The folder of the public checks."""
        return self.folder / "tests"

    @property
    def hidden(self) -> Path:
        """The folder of the hidden checks; students don't have it."""
        return self.folder / "hidden"

    @property
    def has_hidden(self) -> bool:
        """Whether hidden checks lie here."""
        return any(self.hidden.glob("test_*.py"))

    @property
    def stub_names(self) -> tuple[str, ...]:
        """File names of the stubs: mlp_torch.py and mlp_tensorflow.py, or perceptron.py."""
        stem = Path(self.spec.entry.file).stem
        return tuple(f"{stem}_{name}.py" for name in self.spec.frameworks) or (self.spec.entry.file,)

    @property
    def notebook_names(self) -> tuple[str, ...]:
        """File names that a notebook of the assignment may have: hw2.ipynb, and hw2_torch.zh.ipynb of the course's."""
        stems = (self.id, *(f"{self.id}_{name}" for name in self.spec.frameworks))
        return tuple(f"{stem}{ending}" for stem in stems for ending in (".ipynb", ".zh.ipynb"))

    @property
    def start_commands(self) -> tuple[str, ...]:
        """What to type for the stub: one command for each framework where there is a choice."""
        begin = f"grade start {self.id}"
        return tuple(f"{begin} --framework {name}" for name in self.spec.frameworks) or (begin,)

    @property
    def embedded_data(self) -> Path | None:
        """The folder of the part of its dataset that ships with the assignment."""
        dataset = self.spec.dataset
        return self.folder / dataset.embedded if dataset and dataset.embedded else None

    @cached_property
    def checks_sha256(self) -> str:
        """A hash over assignment.yml and every check file: what a score was measured with."""
        digest = hashlib.sha256()
        for path in [
            self.folder / ASSIGNMENT_FILE,
            *sorted(self.tests.rglob("*.py")),
            *sorted(self.hidden.rglob("*.py")),
        ]:
            digest.update(path.relative_to(self.folder).as_posix().encode() + b"\0")
            # Line ends differ between checkouts of the same file.
            digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
        return digest.hexdigest()


class LoadedCourse(BaseModel):
    """A course with its folder."""

    model_config = ConfigDict(frozen=True)

    spec: Course
    folder: Path

    def assignment_folders(self) -> dict[str, Path]:
        """Return the folders of the assignments by id, in order of their names.

        Raises:
            ConfigError: two folders have one id.
        """
        found: dict[str, Path] = {}
        for path in sorted((self.folder / "assignments").glob(f"*/{ASSIGNMENT_FILE}")):
            folder = path.parent
            first = found.setdefault(folder.name.split("_")[0], folder)
            if first != folder:
                raise ConfigError(text("config.two_folders", one=first.name, other=folder.name), file=folder.parent)
        return found

    def assignment(self, assignment_id: str) -> LoadedAssignment:
        """Load one assignment.

        Raises:
            UsageError: no such assignment; offers the nearest.
            ConfigError: its assignment.yml is wrong.
        """
        folders = self.assignment_folders()
        folder = folders.get(assignment_id.lower())  # ids have no capitals, and HW1 means hw1
        if folder is None:
            raise unknown_assignment(assignment_id, list(folders))
        return load_assignment(folder, self)


def unknown_assignment(assignment_id: str, known: list[str]) -> UsageError:
    """Return the error for an assignment that is not there, with the nearest that is."""
    # hw9 is as near to hw3 as to hw1, and to neither; homework1 is far from hw1 but for the number.
    same_number = [one for one in known if _number(one) == _number(assignment_id)]
    close = difflib.get_close_matches(assignment_id.lower(), known, n=1, cutoff=0.7) or difflib.get_close_matches(
        assignment_id.lower(), same_number, n=1, cutoff=0.5
    )
    hints = [text("hint.did_you_mean", name=close[0])] if close else []
    hint = " ".join([*hints, text("usage.known_assignments", ids=", ".join(known))])
    return UsageError(text("usage.unknown_assignment", id=assignment_id), hint=hint)


def _number(assignment_id: str) -> str:
    return "".join(char for char in assignment_id if char.isdigit())


def find_course(start: Path) -> LoadedCourse:
    """Load the course.yml in `start` or the nearest folder above it.

    Raises:
        UsageError: there is none.
        ConfigError: it is wrong.
    """
    start = start.resolve()  # one name for each folder, whatever links led here
    for folder in (start, *start.parents):
        if (folder / COURSE_FILE).is_file():
            return load_course(folder)
    # nbgrader's students have a folder for each assignment, and a terminal that opens above them.
    below = sorted(path.parent.name for path in start.glob(f"*/{COURSE_FILE}"))[:_MOST_BELOW]
    hint = text("usage.course_below", folders=", ".join(below)) if below else text("usage.no_course_hint")
    raise UsageError(text("usage.no_course", folder=start), hint=hint)


def load_course(folder: Path) -> LoadedCourse:
    """Load folder/course.yml."""
    return LoadedCourse(spec=yaml_file.validate(yaml_file.read(folder / COURSE_FILE), Course), folder=folder)


def load_assignment(folder: Path, course: LoadedCourse | None) -> LoadedAssignment:
    """Load folder/assignment.yml, with the course's limits where there is a course.

    Raises:
        ConfigError: something in it is wrong.
    """
    file = yaml_file.read(folder / ASSIGNMENT_FILE)
    spec = yaml_file.validate(file, Assignment)
    expected = folder.name.split("_")[0]
    if spec.id != expected:
        raise file.error(("id",), text("config.id_is_not_folder", id=spec.id, folder=folder.name, expected=expected))
    root = course.folder if course else folder.parent.parent
    return LoadedAssignment(
        spec=spec,
        folder=folder,
        root=root,
        solutions=root / "solutions" / folder.name,
        limits=_limits(file, spec, course.spec.limits if course else Limits()),
    )


def _limits(file: yaml_file.YamlFile, spec: Assignment, default: Limits) -> Limits:
    """Return the course's limits with the assignment's put over them, key by key."""

    class _Overridden(BaseModel):
        limits: Limits

    merged = file._replace(content={"limits": default.model_dump() | spec.limits})
    limits = yaml_file.validate(merged, _Overridden).limits
    if limits.training_s < LEAST_TRAINING_S:
        problem = text("config.training_s", least=LEAST_TRAINING_S, came=f"{limits.training_s:g}")
        raise file.error(("limits", "training_s"), problem)
    return limits
