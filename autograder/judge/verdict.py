"""Whose fault: what a check raised becomes a status and words for the student.

Three sources. The check's own expectations (`CheckFailed`, a plain assert): the student's answer is wrong. What came
from the box (`StudentRaised`, `BoxDied`): the student's code went wrong. Anything else is the check's or ours, and
`internal`: it must never look like the student's.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from unicodedata import east_asian_width

from autograder.box.causes import BoxDied, Cause
from autograder.box.client import StudentRaised
from autograder.box.protocol import Raised
from autograder.judge import claims, limit_words
from autograder.judge.expectations import CheckFailed
from autograder.judge.forbidden import of_refusal
from autograder.judge.hints import hint_for
from autograder.judge.limit_words import Allowed
from autograder.judge.near_miss import Handout, attribute_hint, call_hint, name_hint
from autograder.judge.time_limits import ReferenceTimes
from autograder.messages import text
from autograder.results import Status
from autograder.submission import Submission

_SHOWN_CHARS = 400
_MOST_FRAMES = 12
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # keras colours its errors
# cannot import name 'foo' from 'numpy' (/home/…/numpy/__init__.py): where it lies helps nobody.
_OF_FILE = re.compile(r" \((?:unknown location|[^()]{0,300}[/\\\\][^()]{0,300})\)$")
_STUB = re.compile(r"Task (?P<task>[\w.]+): (?P<what>.+)")  # what `# BEGIN SOLUTION (Task 2.1: fit)` raises
_OUT_OF_MEMORY = {"MemoryError", "OutOfMemoryError", "ResourceExhaustedError"}  # Python's, torch's, tensorflow's
_ALLOCATION_FAILED = ("DefaultCPUAllocator", "CUDA out of memory", "OOM when allocating")


@dataclass(frozen=True)
class Verdict:
    """How a check ended, in words."""

    status: Status
    message: str = ""
    expected: str = ""
    came: str = ""
    hint: str = ""
    frames: tuple[str, ...] = ()
    staff_note: str = ""
    killed: bool = False


PASSED = Verdict(Status.PASSED)


def verdict_of(
    error: BaseException | None,
    submission: Submission,
    hint: str,
    handout: Handout | None = None,
    allowed: Allowed | None = None,
) -> Verdict:
    """Return the verdict on what a check raised; None where it raised nothing.

    Args:
        error: the exception.
        submission: to tell the student's files and lines.
        hint: the check's own, used where its expectation failed.
        allowed: the attempt's limits, and what the reference solution takes, to tell which one was reached.
        handout: what the assignment asks for, to tell how a name that is missing is to be defined.
    """
    match error:
        case None:
            return PASSED
        case CheckFailed():
            return Verdict(Status.FAILED, text("check.failed"), error.expected, error.came, error.hint or hint)
        case StudentRaised():
            verdict = _of_exception(claims.raised(error.raised), submission, handout or Handout())
            return _by_evidence(verdict, error, allowed)
        case BoxDied():
            return _of_death(error.cause, allowed.reference if allowed else None)
        case AssertionError():
            return Verdict(Status.FAILED, _assertion_text(error), hint=hint)
        case _:
            return internal(error)


def _by_evidence(verdict: Verdict, error: StudentRaised, allowed: Allowed | None) -> Verdict:
    """Return what an exception comes to with what is known of the box from outside: a full disk, a blocked call."""
    if allowed and (limit := limit_words.reached(error, allowed.limits)):
        said, hint = limit_words.message(limit, allowed.reference), limit_words.hint(limit.kind)
        return replace(verdict, status=limit.status, message=said, hint=hint)
    if refused := of_refusal(error.refused, error.raised, allowed.limits.processes if allowed else 0):
        return replace(verdict, status=Status.FORBIDDEN, **refused._asdict())
    return verdict


def internal(error: BaseException) -> Verdict:
    """Return the verdict where the check, or the judge, went wrong by itself."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_library(frame.filename)]
    note = "".join(traceback.format_list(frames)) + "".join(traceback.format_exception_only(error))
    return Verdict(Status.INTERNAL, text("check.internal", problem=_one_line(f"{type(error).__name__}: {error}")),
                   staff_note=note)  # fmt: skip


def _is_library(filename: str) -> bool:
    return "site-packages" in filename or "dist-packages" in filename


def _assertion_text(error: AssertionError) -> str:
    """Return what a plain assert says: pytest's explanation without its introspection lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith("+ ")]
    return _one_line(" · ".join(kept[:4])) if kept else text("check.failed")


def _of_exception(raised: Raised, submission: Submission, handout: Handout) -> Verdict:  # noqa: PLR0911 - one a kind
    frames = _without_repeats(
        f"{submission.place(frame.file, frame.line)}"
        + (f" {text('report.in_function', name=frame.function)}" if frame.function not in {"", "<module>"} else "")
        + (f": {frame.source.strip()}" if frame.source else "")
        for frame in raised.frames
        if frame.student
    )
    note = _staff_note(raised)
    if "NotImplementedError" in raised.mro:
        return Verdict(Status.FAILED, _not_implemented(_one_line(raised.text)), staff_note=note)
    if raised.unsendable:
        return Verdict(Status.FAILED, text("check.unsendable", problem=_one_line(raised.text)), staff_note=note)
    if raised.type_name == "AttributeError" and raised.missing:
        return _of_missing_name(raised, submission, handout)
    if not _OUT_OF_MEMORY.isdisjoint(raised.mro) or any(sign in raised.text for sign in _ALLOCATION_FAILED):
        return Verdict(Status.MEMORY, text("check.memory_error"), hint=text("hint.memory"), frames=frames,
                       staff_note=note)  # fmt: skip
    if "SystemExit" in raised.mro:
        return Verdict(Status.CRASHED, text("check.system_exit"), hint=hint_for(raised) or text("hint.system_exit"),
                       frames=frames, staff_note=note)  # fmt: skip
    if raised.syntax:
        return _of_syntax_error(raised, submission, note)
    came = _OF_FILE.sub("", raised.text) if "ImportError" in raised.mro else raised.text
    said = f"{raised.type_name}: {came}" if came else raised.type_name
    hint = call_hint(raised, handout) or hint_for(raised)
    return Verdict(Status.ERROR, _one_line(said), hint=hint, frames=frames, staff_note=note)


def _not_implemented(what: str) -> str:
    """Return that a stub is still there; of ours, which task, in the reader's language: the file has it in English."""
    if not what:
        return text("check.not_implemented")
    stub = _STUB.fullmatch(what)
    named = text("check.task", task=stub["task"], what=stub["what"]) if stub else what
    return text("check.not_implemented_what", what=named)


def _without_repeats(frames: Iterable[str]) -> tuple[str, ...]:
    """Return the frames, a recursion's told once, and of many only how they began and how they ended."""
    told = []
    for frame, same in groupby(frames):
        again = len(list(same)) > 1
        told.append(text("report.repeated", frame=frame) if again else frame)
    return tuple(told if len(told) <= _MOST_FRAMES else [*told[:3], "…", *told[4 - _MOST_FRAMES :]])


def _of_missing_name(raised: Raised, submission: Submission, handout: Handout) -> Verdict:
    name, owner = raised.missing, raised.text
    if owner:
        message, hint = text("check.missing_attribute", name=name, owner=owner), attribute_hint(raised)
    else:
        message = text("check.missing_name", name=name, file=submission.name)
        hint = name_hint(raised, submission, handout)
    return Verdict(Status.FAILED, message, hint=hint)


def _of_syntax_error(raised: Raised, submission: Submission, note: str) -> Verdict:
    place = raised.frames[0] if raised.frames else None
    frames: tuple[str, ...] = ()
    if place is not None:
        caret = " " * _columns(place.source[: max(raised.column - 1, 0)]) + "^"
        frames = (submission.place(place.file, place.line), place.source.expandtabs(), caret) if place.source else ()
    where = submission.place(place.file, place.line) if place and place.line else submission.name
    message = text("check.syntax_error", where=where, problem=_one_line(raised.text))
    return Verdict(Status.ERROR, message, hint=hint_for(raised), frames=frames, staff_note=note)


def _columns(source: str) -> int:
    """Return how many columns of a terminal a text takes: a tab goes to the next eighth, a Chinese character is two."""
    return sum(1 + (east_asian_width(char) in {"W", "F"}) for char in source.expandtabs())


def _of_death(cause: Cause, reference: ReferenceTimes | None) -> Verdict:
    """Words for each way in which a box ends; the evidence is the cause's, nothing is taken from the box."""
    if cause.status is Status.INTERNAL:
        return Verdict(Status.INTERNAL, text("check.internal", problem=f"{cause.kind} {cause.detail}"))
    if cause.kind == "exit":
        return Verdict(cause.status, text("died.exit", status=cause.detail), hint=text("hint.system_exit"))
    if cause.kind == "signal":
        killed = cause.detail == "SIGKILL"
        said = text("died.killed" if killed else "died.signal", signal=cause.detail)
        return Verdict(cause.status, said, hint=text("hint.crashed"), killed=killed)
    return Verdict(
        cause.status, limit_words.message(cause, reference), hint=limit_words.hint(cause.kind), staff_note=cause.detail
    )


def _staff_note(raised: Raised) -> str:
    frames = [f"  {frame.file}:{frame.line} in {frame.function}" for frame in raised.frames]
    return "\n".join([*frames, f"{raised.type_name}: {raised.text}"])


def _one_line(said: str) -> str:
    line = " ".join(_COLOUR.sub("", said).split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]}…"
