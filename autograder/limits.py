"""What an attempt may use. Defaults with their reasons; course.yml and assignment.yml may say otherwise."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MB = 1 << 20
LEAST_TRAINING_S = 60  # of what course.yml and assignment.yml may say: a slow laptop is not a worse student


class Limits(BaseModel):
    """Limits of one box. A limit ends the box it was set for, never the judge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    import_s: float = Field(60, gt=0, description="seconds for importing the submission, with its framework")
    call_s: float = Field(60, gt=0, description="seconds for one call that does not train")
    # Trainings and attempts may take `time_factor` times what the reference solution takes, within these bounds.
    training_s: float = Field(60, gt=0, description="seconds for one training at least; 60 or more")
    training_most_s: float = Field(3600, gt=0, description="seconds for one training at most")
    attempt_s: float = Field(900, gt=0, description="seconds for the whole attempt at least")
    attempt_most_s: float = Field(14_400, gt=0, description="seconds for the whole attempt at most")
    time_factor: float = Field(10, ge=1, description="how many times the reference solution's time is allowed")
    memory_mb: int = Field(4096, ge=256, description="memory of the whole process tree, in MiB; tensorflow needs 600")
    # A flood ends the call only here: an honest `print` at every step of a long training is a few MB.
    output_mb: int = Field(256, ge=1, description="what one check may print, in MiB")
    file_mb: int = Field(1024, ge=1, description="the largest file that may be written, in MiB")
    disk_mb: int = Field(0, ge=0, description="all files of a sealed box together, in MiB; 0: as much as one, file_mb")
    # Each takes about 1 KB of the kernel's memory.
    files: int = Field(8192, ge=64, le=1_000_000, description="files and folders of a sealed box together")
    answer_mb: int = Field(1024, ge=1, le=1024, description="the arrays that one call returns, together, in MiB")
    box_cpu_s: int = Field(0, ge=0, description="CPU seconds of all processes of one box; 0: attempt_s × (threads + 1)")
    processes: int = Field(
        0, ge=0, le=64, description="processes at a time that a sealed box may start; a DataLoader's workers"
    )
    # Two take 1.4 times as long as one where models are small, and more where attempts share the cores.
    threads: int = Field(1, ge=1, le=64, description="threads to compute with; other counts give other bits")

    @property
    def cpu_s(self) -> int:
        """CPU seconds of one box; where nobody says otherwise, all threads busy throughout, and one that loads data."""
        return self.box_cpu_s or int(self.attempt_s * (self.threads + 1)) + 1

    @property
    def room_mb(self) -> int:
        """What all files of a box may take together."""
        return self.disk_mb or self.file_mb


class Needs(BaseModel):
    """What the reference solution needs of what is limited, besides time: the most that any of its boxes took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_mb: int = Field(0, ge=0)
    cpu_s: float = Field(0, ge=0)
    disk_mb: float = Field(0, ge=0)
    files: int = Field(0, ge=0)
    output_mb: float = Field(0, ge=0)

    def or_more(self, other: Needs) -> Needs:
        """Return the most of either, key by key."""
        return Needs(**{name: max(value, getattr(other, name)) for name, value in self.model_dump().items()})
