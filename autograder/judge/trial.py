"""Boxes that are tried before an attempt relies on them: sealed ones with another Python.

What a sealed box shows of the machine, and whether anything can be imported in it, depends on how that Python was
installed: below a home folder, with links into a cache, closed to other users. One with nothing in it is started and
asked, once a command, before any student's code is run.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from autograder.box.backends import NAMESPACES
from autograder.box.client import BoxClient, BoxDied, BoxSpec, StudentRaised
from autograder.box.interpreter import Interpreter
from autograder.box.protocol import Call, ProtocolError
from autograder.box.protocol import Path as Name
from autograder.box.values import Decoder
from autograder.limits import Limits
from autograder.messages import text

_LIMITS = Limits(import_s=60, call_s=60, attempt_s=120)
_MAIN = "trial.py"
_ASK = b"""
def mounts():
    with open("/proc/self/mountinfo") as file:
        return [line.split()[4] for line in file]
"""
_ESCAPED = re.compile(r"\\([0-7]{3})")
_PROBLEM_CHARS = 200


class Trial(NamedTuple):
    """What came of it: why such a box can't be had, or the machine's folders that can be seen in it."""

    problem: str
    shown: tuple[Path, ...] = ()


@cache
def try_python(python: Interpreter) -> Trial:
    """Start a sealed box with a Python and ask it what it shows."""
    box = BoxClient(BoxSpec({_MAIN: _ASK}, _MAIN, (), "cpu", _LIMITS, python=python, isolation=NAMESPACES))
    try:
        came = box.loaded().environment.python
        answer = box.request(lambda number: Call(id=number, target=Name("mounts"), args=[], kwargs={}, seed=0), [])
        places = Decoder(answer.reader, lambda node: node).value(answer.value)
    except (BoxDied, StudentRaised, ProtocolError) as error:
        return Trial(text("isolation.python_fails", python=python.executable, problem=last_line(error)))
    finally:
        box.close()
    # An interpreter whose own library can't be seen takes the system's, of another version, without a word.
    if came != python.version:
        return Trial(text("isolation.python_version", python=python.executable, came=came, version=python.version))
    known = places if isinstance(places, list) else []
    return Trial("", tuple(Path(_unescaped(place)) for place in known if isinstance(place, str)))


def exposed(trial: Trial, private: tuple[Path, ...]) -> str:
    """Return why a box that shows these folders must not be used, in words; empty where it may.

    SECURITY: a Python whose folder has the course or a whole home in it would show both to the student's code.

    Args:
        trial: of a box.
        private: folders that no box may see.
    """
    for folder in private:
        for shown in trial.shown:
            if shown != Path("/") and folder.resolve().is_relative_to(shown.resolve()):
                return text("isolation.python_shows", shown=shown, private=folder)
    return ""


def last_line(error: Exception) -> str:
    """Return the last line of why a box ended or raised: of a traceback, the one that says it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:_PROBLEM_CHARS]


def _unescaped(place: str) -> str:
    """Return a path of /proc/self/mountinfo, where spaces and the like are written as octal numbers."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), place)
