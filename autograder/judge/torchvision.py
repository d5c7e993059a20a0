"""What the stand-in for torchvision lacks is nobody's mistake but ours: such a check counts as not graded.

SECURITY: that torchvision is not installed is known here, and so is that the submission's source names the part that is
missing. That an exception came of it is the box's claim. It chooses between two statuses without points; with the one
that is no grade, staff are told what to install, and the next run tells the truth.
"""

from __future__ import annotations

import contextlib
import io
import re
import tokenize
from collections.abc import Iterator

from autograder.box.client import StudentRaised
from autograder.box.interpreter import Interpreter
from autograder.box.stand_in import MISSING, NAME, THERE
from autograder.judge import claims
from autograder.judge.verdict import Verdict
from autograder.messages import text
from autograder.results import Status
from autograder.submission import Submission, decode

_PART = re.compile(r"its stand-in has no ([\w.]{1,100})")


def lacking(error: BaseException | None, submission: Submission, python: Interpreter) -> Verdict | None:
    """Return the verdict where the student's code needs more of torchvision than there is; None elsewhere.

    Args:
        error: what was raised.
        submission: whose code it is.
        python: that it runs with.
    """
    if not isinstance(error, StudentRaised):
        return None
    raised = claims.raised(error.raised)
    part = _PART.search(raised.text) if raised.text.startswith(MISSING) else None
    if part is None or python.has(NAME) or not {NAME, *part[1].split(".")} <= _names_in(submission):
        return None
    hint = text("hint.no_torchvision", python=python.command, there=THERE)
    return Verdict(Status.INTERNAL, text("check.no_torchvision", part=part[1]), hint=hint)


def _names_in(submission: Submission) -> set[str]:
    """Return the names in a submission's code: neither in its comments nor in its texts."""
    sources = [decode(content) for name, content in submission.files.items() if name.endswith(".py")]
    return {name for source in (submission.source, *sources) for name in _names(source)}


def _names(source: str) -> Iterator[str]:
    # A lexer, no parser: this runs in the judge, and a parser can be made to overflow its stack.
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME:
                yield token.string
