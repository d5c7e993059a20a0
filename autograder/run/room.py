"""Room for attempts on this machine: memory for their boxes, and GPUs. One core each is the caller's `jobs`.

An attempt starts where what its boxes may take fits into what is there, beside those that run: of the machine, and of
the container that we are in. One always runs: where not even that fits, waiting would not help. Each is lent a GPU, or
its share of one where more are asked for than there are GPUs.

It is a reservation and no promise: other programs grow, too. What the system then kills is tried again alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from autograder.box.grant import Grant, slots
from autograder.box.memory import available_bytes
from autograder.box.nvml import Gpu
from autograder.course import LoadedAssignment
from autograder.judge.isolation import gpus_here
from autograder.judge.judges import Judges, Pending, one_per_core
from autograder.judge.options import AttemptOptions
from autograder.limits import MB
from autograder.messages import text
from autograder.submission import Submission

# Of an attempt one box computes at a time. The others wait for their check, with what they have trained; and there is
# the judge. Those of a course's assignments take less.
_BESIDE_MB = 256
# What is started once and shared: a box zygote with torch (300 MB) or tensorflow (600 MB), a judge zygote.
_ZYGOTES_MB = {False: 128, True: 768}  # by whether there is a framework


def attempts_at_once(assignment: LoadedAssignment, options: AttemptOptions, asked: int | None) -> int:
    """Return how many attempts run at a time where memory allows: what was asked for, else one per GPU or per core."""
    return asked or len(_gpus(assignment, options)) or one_per_core()


def room_for(assignment: LoadedAssignment, options: AttemptOptions, at_once: int) -> Room:
    """Return the room that there is for attempts at an assignment."""
    gpus = _gpus(assignment, options)
    per_gpu = -(-at_once // len(gpus)) if gpus else 1
    needed = (assignment.limits.memory_mb + _BESIDE_MB) * MB
    shared = _ZYGOTES_MB[bool(assignment.spec.frameworks)] * MB
    return Room(needed, shared, list(slots(gpus, per_gpu)), available_bytes)


def _gpus(assignment: LoadedAssignment, options: AttemptOptions) -> tuple[Gpu, ...]:
    if options.device not in {"auto", "cuda"} or not assignment.spec.frameworks:
        return ()
    return gpus_here() or ()


@dataclass
class Room:
    """Says whether another attempt may start, and starts it with a GPU of its own where there are GPUs.

    Args:
        needed_bytes: what one attempt may take; 0: there is no end of memory.
        shared_bytes: what is taken once for all of them.
        free: GPUs that nobody has been lent.
        available: tells how much memory there is.
    """

    needed_bytes: int = 0
    shared_bytes: int = 0
    free: list[Grant] = field(default_factory=list)
    available: Callable[[], int] = available_bytes
    _lent: dict[Pending, Grant] = field(default_factory=dict)

    def why_not(self, running: int) -> str:
        """Return why no other attempt may start beside so many, in words; empty where one may."""
        if not self.needed_bytes:
            return ""
        most = self._at_most  # asked first, before there is anything of ours
        if running == 0:
            return ""
        left = self.available()
        if running < most and left >= self.needed_bytes:
            return ""
        return text("run.waits_for_memory", needed=f"{self.needed_bytes // MB:,}", left=f"{left // MB:,}")

    @cached_property
    def _at_most(self) -> int:
        """How many fit into what there was when nothing ran: those that run have yet to take their share."""
        return (self.available() - self.shared_bytes) // self.needed_bytes

    def start(
        self, judges: Judges, assignment: LoadedAssignment, submission: Submission, options: AttemptOptions
    ) -> Pending:
        """Start an attempt; what it was lent is to be given back."""
        grant = self.free.pop(0) if self.free else None
        pending = judges.start(assignment, submission, replace(options, grant=grant) if grant else options)
        if grant:
            self._lent[pending] = grant
        return pending

    def give_back(self, pending: Pending) -> None:
        """Take back what an attempt was lent, which has ended."""
        if grant := self._lent.pop(pending, None):
            self.free.append(grant)
