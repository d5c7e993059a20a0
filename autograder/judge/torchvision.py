"""What the stand-in for torchvision lacks is nobody's mistake but ours: the student and the staff are told so.

SECURITY: in words only; the status is that of any exception. That torchvision is not installed is known here, and so is
that the submission imports it; that an exception came of it is the box's claim. Were it `internal`, code that never
fails but claims this would never be graded: `internal` is no grade, and what was known of a submission before stays.
"""

from __future__ import annotations

import re

from autograder.box.client import StudentRaised
from autograder.box.interpreter import Interpreter
from autograder.box.stand_in import MISSING, NAME, THERE
from autograder.judge import claims
from autograder.judge.verdict import Verdict
from autograder.messages import text
from autograder.results import Status
from autograder.submission import Submission, decode, imported_modules

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
    if part is None or not _imports_it(submission) or python.has(NAME):
        return None
    hint = text("hint.no_torchvision", python=python.command, there=THERE)
    return Verdict(Status.ERROR, text("check.no_torchvision", part=part[1]), hint=hint, staff_note=raised.text)


def _imports_it(submission: Submission) -> bool:
    sources = (decode(content) for name, content in submission.files.items() if name.endswith(".py"))
    return any(NAME in imported_modules(source) for source in (submission.source, *sources))
