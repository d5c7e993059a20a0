"""How an attempt's boxes are closed: the strictest way that works here, for this device and this Python."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from autograder.box.backends import PROCESS
from autograder.box.interpreter import Interpreter
from autograder.box.probe import has_gpu, probe
from autograder.errors import UsageError
from autograder.judge.trial import exposed, try_python
from autograder.messages import text


class Choice(NamedTuple):
    """An isolation, and why it is not the strictest that this machine has, where nobody asked for less."""

    isolation: str
    why: str = ""


def choose_isolation(wanted: str, device: str, python: Interpreter, private: tuple[Path, ...] = ()) -> Choice:
    """Return the isolation to use.

    Args:
        wanted: by name, or "auto" for the strictest that works here; the environment may say what "auto" is.
        device: a sealed box has no GPU; where one may be used, "auto" does without the seal.
        python: to run the boxes with; one that a sealed box can't be had with makes "auto" do without, too.
        private: folders that no sealed box may see: the course, the home.

    Raises:
        UsageError: it does not work here.
    """
    if wanted == "auto":
        wanted = os.environ.get("GRADE_ISOLATION", "auto")
    if wanted == PROCESS or (wanted == "auto" and device != "cpu" and has_gpu()):
        return Choice(PROCESS)
    found = probe()
    isolation = found.best if wanted == "auto" else wanted
    if why := found.why_not(isolation):
        raise _refused(isolation, why)
    why = "" if isolation == PROCESS else why_not_sealed(python, private)
    if why and wanted != "auto":
        raise _refused(isolation, why)
    return Choice(PROCESS, why) if why else Choice(isolation)


def why_not_sealed(python: Interpreter, private: tuple[Path, ...]) -> str:
    """Return why boxes can't be sealed with a Python, in words; empty where they can, and for grade's own."""
    if python.is_ours:
        return ""
    trial = try_python(python)
    return trial.problem or exposed(trial, private)


def _refused(isolation: str, why: str) -> UsageError:
    return UsageError(text("usage.no_isolation", isolation=isolation, why=why), hint=text("usage.no_isolation_hint"))
