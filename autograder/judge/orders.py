"""What a warm judge is told and what it answers: plain data, although both sides are trusted.

A judge zygote gets `Begin` once. For each attempt it gets a `Call`, small, with descriptors; the forked judge reads its
`Order` from one of them, a file, and writes an `Answer` to another. So no submission passes through the zygote, whose
memory all later judges inherit, and no reader ever waits in the middle of a message.
"""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path
from typing import Any, Literal

import msgspec

from autograder.box.interpreter import Interpreter
from autograder.box.zygotes import Key
from autograder.errors import ConfigError, GradeError, InternalError, UsageError
from autograder.judge.isolation import Choice
from autograder.judge.options import AttemptOptions, DataChoice
from autograder.messages import Language
from autograder.results import Report
from autograder.submission import Submission

MAX_MESSAGE_BYTES = 4096

# Messages on an attempt's status socket, by their first byte; its end is the judge's.
STARTED = b"p"  # with the judge's pidfd
ANSWERED = b"a"


class Begin(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which checks a judge zygote loads."""

    folder: str  # of the assignment
    hidden: bool
    language: Language
    scratch: str  # a folder for temporary files; one within for each judge


class BoxZygote(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A zygote that is lent with a call: which boxes it is for, and what is known of it."""

    key: Key
    pid: int
    folder: str


class Call(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a judge is forked for. With it come descriptors: status, order, answer, then those of a box zygote."""

    data: DataChoice
    boxes: BoxZygote | None
    spare: bool = False
    """A box of the attempt's kind is to wait for the next one: there is a core that does nothing else."""


class Ordered(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What of `AttemptOptions` an order says, to a judge or to a worker: what is checked, and with what."""

    hidden: bool
    full: bool
    device: str
    tasks: tuple[str, ...]
    checks: tuple[str, ...]
    data: DataChoice
    seeds: tuple[int, ...]
    show_cells: bool

    def options_in(self, isolation: str, *, for_class: bool = False) -> AttemptOptions:
        """Return the options of the attempt in such a box, with a listener that is silent."""
        return AttemptOptions(isolation=isolation, for_class=for_class, **ordered(self))


def ordered(of: AttemptOptions | Ordered) -> dict[str, Any]:
    """Return the fields of `Ordered`, by their names."""
    return {name: getattr(of, name) for name in Ordered.__struct_fields__}


class Order(Ordered, frozen=True, kw_only=True):
    """One attempt, with what was settled before."""

    submission: Submission
    python: Interpreter
    choice: Choice

    @property
    def options(self) -> AttemptOptions:
        """The options of the attempt."""
        return self.options_in(self.choice.isolation)


class Failure(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An error, for whoever asked for the attempt."""

    kind: Literal["usage", "config", "internal", "system"]
    message: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    key: str = ""


class Answer(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What an attempt came to: a report as JSON, or an error."""

    report: str = ""
    failure: Failure | None = None


# Made here, before the fork: the first use of a type takes milliseconds.
_ORDERS, _ANSWERS = msgspec.msgpack.Decoder(Order), msgspec.msgpack.Decoder(Answer)


def order_in(message: bytes) -> Order:
    """Return the order of a message."""
    return _ORDERS.decode(message)


def failure_of(error: Exception) -> Failure:
    """Return an error as plain data. What nobody has foreseen is our fault, and told with its traceback."""
    match error:
        case ConfigError():
            file = str(error.file) if error.file else None
            return Failure("config", error.message, error.hint, file, error.line, error.key)
        case UsageError():
            return Failure("usage", error.message, error.hint)
        case GradeError():
            return Failure("internal", error.message, error.hint)
        case OSError():
            return Failure("system", str(error))
        case _:
            return Failure("internal", "".join(traceback.format_exception(error)).strip())


def error_of(failure: Failure) -> Exception:
    """Return the error that a failure tells of."""
    match failure.kind:
        case "config":
            error = ConfigError(failure.message, hint=failure.hint)  # its message begins with the place already
            error.file = Path(failure.file) if failure.file else None
            error.line, error.key = failure.line, failure.key
            return error
        case "usage":
            return UsageError(failure.message, hint=failure.hint)
        case "system":
            return OSError(failure.message)
        case "internal":
            return InternalError(failure.message, hint=failure.hint)


def report_in(answer: bytes) -> Report | None:
    """Return the report of an answer; None where it is not whole.

    Raises:
        GradeError: the attempt could not be made.
        OSError: the same.
    """
    with contextlib.suppress(msgspec.DecodeError):
        decoded = _ANSWERS.decode(answer)
        if decoded.failure is not None:
            raise error_of(decoded.failure)
        return Report.model_validate_json(decoded.report)
    return None
