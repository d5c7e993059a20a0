"""What `grade doctor` found out: published as JSON (`grade doctor --json`, schema in autograder/schema)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Health(StrEnum):
    """How one thing of the machine is."""

    GOOD = "good"
    OPTIONAL = "optional"  # not there, and not needed
    LACKING = "lacking"  # something won't work, or less well; `grade check` does
    BROKEN = "broken"  # `grade check` can't work


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Model):
    """One line: what was looked at, how it is, what to do about it."""

    name: str = Field(description="python, box, torch, tensorflow, isolation, disk, course or the name of a dataset")
    health: Health
    said: str = Field(description="how it is, in a sentence of the report's language")
    hint: str = Field("", description="what to do, where something can be done")


class DeviceFinding(_Model):
    """A device that a framework can compute on."""

    kind: Literal["cuda", "mps", "cpu"]
    name: str = ""
    memory: int = Field(0, ge=0, description="bytes; 0: not known, or the cpu")


class FrameworkFinding(_Model):
    """A framework of the Python that was looked at. The devices are what it said in a box."""

    name: Literal["torch", "tensorflow"]
    version: str | None = Field(None, description="none: not installed, or its import fails")
    devices: tuple[DeviceFinding, ...] = Field((), description="best first; the first is used")


class PythonFinding(_Model):
    """A Python of this machine, found by `--find-python`."""

    path: str
    version: str | None = Field(None, description="none: it did not answer, or is too old")
    numpy: str | None = None
    torch: str | None = None
    tensorflow: str | None = None
    problem: str = Field("", description="why it can't be used; empty where it can")
    is_ours: bool = Field(default=False, description="grade itself runs with it: --python is not needed")


class Diagnosis(_Model):
    """What `grade doctor` found out. With `--find-python` only `pythons` are looked for."""

    schema_version: Literal[1] = 1
    python: str = Field(description="the version of the Python that boxes run with")
    python_path: str
    findings: tuple[Finding, ...] = ()
    frameworks: tuple[FrameworkFinding, ...] = ()
    pythons: tuple[PythonFinding, ...] | None = None
    command: str = Field("", description="with --find-python: the command that uses the best of them")

    @property
    def is_broken(self) -> bool:
        """Whether something stops `grade check`."""
        return any(finding.health is Health.BROKEN for finding in self.findings)
