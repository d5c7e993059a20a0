"""Words for a limit that was reached: which it is, its value, its key, and what the reference solution needs of it."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, NamedTuple

from autograder.box.causes import Cause, full_files, megabytes
from autograder.box.client import StudentRaised
from autograder.judge.time_limits import ReferenceTimes
from autograder.limits import MB, Limits
from autograder.messages import text
from autograder.results import Status

if TYPE_CHECKING:
    from autograder.box.init import Room

# The key in course.yml and assignment.yml, by the kind of a cause.
KEYS = {
    "wall": "call_s", "training": "training_s", "import_wall": "import_s", "attempt": "attempt_s", "cpu": "box_cpu_s",
    "memory": "memory_mb", "output": "output_mb", "disk": "disk_mb", "files": "files", "file": "file_mb",
    "answer": "answer_mb", "write": "disk_mb", "memory_error": "memory_mb",
}  # fmt: skip
_HINTS = {
    **dict.fromkeys(("wall", "training", "cpu"), "hint.timeout"),
    **dict.fromkeys(("disk", "files", "file", "write", "depth"), "hint.disk"),
    "import_wall": "hint.import_timeout",
    **dict.fromkeys(("memory", "memory_error"), "hint.memory"),
    "output": "hint.output",
    "answer": "hint.answer",
    "call": "hint.forbidden_system",
    "gpu_memory": "hint.gpu_memory",
}
# What of the reference's needs a kind is about, and the words for it.
_NEEDS = {
    **dict.fromkeys(("memory", "memory_error"), ("memory_mb", "died.needs_mb")),
    "write": ("disk_mb", "died.needs_mb"),
    "disk": ("disk_mb", "died.needs_mb"),
    "output": ("output_mb", "died.needs_mb"),
    "cpu": ("cpu_s", "died.needs_s"),
    "files": ("files", "died.needs_files"),
}
# How libraries say that a file could not be written; torch has no OSError for it.
_NO_ROOM = re.compile(
    r"No space left|Not enough free space|requested and \d+ written|File too large|fail\w* writing|write failed"
    r"|unexpected pos",
    re.IGNORECASE,
)
_NO_ROOM_ERRNOS = frozenset([errno.EFBIG, errno.ENOSPC])
_MOST_CHARS = 4000


class Allowed(NamedTuple):
    """What an attempt may use, and what the reference solution does."""

    limits: Limits
    reference: ReferenceTimes | None = None


def message(cause: Cause, reference: ReferenceTimes | None) -> str:
    """Return what a student reads of a box that ended, or an answer that was lost, at a limit."""
    said = text(f"died.{cause.kind}", limit=cause.detail, used=cause.used)
    if cause.kind in KEYS:
        said = text("died.by_key", said=said, key=KEYS[cause.kind])
    return said + beside_reference(cause.kind, reference)


def hint(kind: str) -> str:
    """Return what to try where a limit was reached; nothing where nothing is known."""
    return text(_HINTS[kind]) if kind in _HINTS else ""


def beside_reference(kind: str, reference: ReferenceTimes | None) -> str:
    """Return what the reference solution takes of what there was too little of; nothing where nobody has measured."""
    if reference is None:
        return ""
    if kind in {"training", "attempt", "wall"}:
        seconds = reference.training_s if kind == "training" else reference.attempt_s
        words = "died.reference_all" if kind == "wall" else "died.reference"
        return text(words, seconds=f"{seconds:.2g}") if seconds else ""  # 0: none, or too little to be told
    if kind not in _NEEDS or reference.needs is None:
        return ""
    need, words = _NEEDS[kind]
    amount = getattr(reference.needs, need)
    return text(words, amount=f"{amount:g}") if amount else ""


def reached(error: StudentRaised, limits: Limits) -> Cause | None:
    """Return the limit that an exception of the student's code came of, where it is one that a box survives.

    The exception says that a file could not be written; what the files took then is the file system's word. Where they
    leave room it was one write too large for it, which left nothing behind.
    """
    raised, said = error.raised, error.raised.text[:_MOST_CHARS]
    if raised.answer_bytes > limits.answer_mb * MB:
        return Cause(Status.OUTPUT, "answer", str(limits.answer_mb), megabytes(raised.answer_bytes))
    if "MemoryError" in raised.mro or "DefaultCPUAllocator" in said:
        return Cause(Status.MEMORY, "memory_error", str(limits.memory_mb))
    if _NO_ROOM_ERRNOS & set(raised.errnos) or _NO_ROOM.search(said):
        return _of_files(raised.errnos, error.room, limits)
    return None


def _of_files(errnos: list[int], room: Room | None, limits: Limits) -> Cause | None:
    if full := full_files(room, limits):
        return full
    if errno.EFBIG in errnos:
        return Cause(Status.OUTPUT, "file", str(limits.file_mb))
    if room is None:  # the machine's own disk, which nothing bounds
        return None
    return Cause(Status.OUTPUT, "write", str(limits.room_mb), megabytes(room.disk_bytes))
