"""Sealed boxes that are tried before an attempt relies on them: with another Python, or with a GPU. Once a command.

What such a box shows of the machine, and whether anything can be imported in it, depends on how that Python was
installed: below a home folder, with links into a cache, closed to other users. And whether CUDA works in it depends on
the driver's version, and on what else this machine does. So one is started, before any student's code is run.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from autograder.box.backends import NAMESPACES
from autograder.box.causes import BoxDied
from autograder.box.client import BoxClient, StudentRaised
from autograder.box.grant import Grant
from autograder.box.interpreter import Interpreter
from autograder.box.protocol import Call, ProtocolError
from autograder.box.protocol import Path as Name
from autograder.box.spec import BoxSpec
from autograder.box.values import Decoder
from autograder.judge import claims
from autograder.limits import Limits
from autograder.messages import text

# A framework's first import on a cold disk takes a minute; so does CUDA's first start after the machine's.
_LIMITS = Limits(import_s=180, call_s=120, attempt_s=300)
_MAIN = "trial.py"
_ASK = b"""
def mounts():
    with open("/proc/self/mountinfo") as file:
        return [line.split()[4] for line in file]
"""
_USE_GPU = """\
import {framework}
from autograder.box import devices

def use():
    if not {built}:
        return ["without CUDA", ""]
    found, problem = devices.available({framework!r})
    if found[0].kind != "cuda":
        return ["none", problem]
    return ["worked" if {computed} == 4 else "none", problem]
"""
_OF_FRAMEWORK = {
    "torch": {"built": "torch.version.cuda", "computed": "float(torch.ones(4, device='cuda').sum())"},
    "tensorflow": {
        "built": "tensorflow.test.is_built_with_cuda()",
        "computed": "float(tensorflow.reduce_sum(tensorflow.ones(4)))",
    },
}
_ESCAPED = re.compile(r"\\([0-7]{3})")
_PROBLEM_CHARS = 200


class Trial(NamedTuple):
    """What came of it: why such a box can't be had, or the machine's folders that can be seen in it."""

    problem: str
    shown: tuple[Path, ...] = ()


class GpuTrial(NamedTuple):
    """What came of it: why a sealed box can't use a GPU, or that it can."""

    problem: str = ""
    can_compute: bool = False  # False without a problem: the framework was built without CUDA, so nobody misses it
    is_watched: bool = False  # the driver told how much memory the box had


@cache
def try_gpu(python: Interpreter, framework: str, grant: Grant) -> GpuTrial:
    """Start a sealed box with a grant, and compute something on the GPU in it."""
    source = _USE_GPU.format(framework=framework, **_OF_FRAMEWORK[framework]).encode()
    spec = BoxSpec(
        {_MAIN: source}, _MAIN, (framework,), "cuda", _LIMITS, python=python, isolation=NAMESPACES, grant=grant
    )
    box = BoxClient(spec)
    try:
        told = _asked(box, "use")
        is_watched = box.gpu_bytes() > 0
    except (BoxDied, StudentRaised, ProtocolError) as error:
        return GpuTrial(text("isolation.gpu_fails", problem=last_line(error)))
    finally:
        box.close()
    match told:
        case ["worked", str()]:
            return GpuTrial(can_compute=True, is_watched=is_watched)
        case ["without CUDA", str()]:
            return GpuTrial()
        case [_, str(problem)]:
            return GpuTrial(text("isolation.gpu_fails", problem=claims.plain(problem) or text("isolation.gpu_unseen")))
    return GpuTrial(text("isolation.gpu_fails", problem=text("isolation.gpu_unseen")))


@cache
def try_python(python: Interpreter) -> Trial:
    """Start a sealed box with a Python and ask it what it shows."""
    box = BoxClient(BoxSpec({_MAIN: _ASK}, _MAIN, (), "cpu", _LIMITS, python=python, isolation=NAMESPACES))
    try:
        came = box.loaded().environment.python
        places = _asked(box, "mounts")
    except (BoxDied, StudentRaised, ProtocolError) as error:
        return Trial(text("isolation.python_fails", python=python.executable, problem=last_line(error)))
    finally:
        box.close()
    # An interpreter whose own library can't be seen takes the system's, of another version, without a word.
    if came != python.version:
        return Trial(text("isolation.python_version", python=python.executable, came=came, version=python.version))
    known = places if isinstance(places, list) else []
    return Trial("", tuple(Path(_unescaped(place)) for place in known if isinstance(place, str)))


def _asked(box: BoxClient, name: str) -> object:
    answer = box.request(lambda number: Call(id=number, target=Name(name), args=[], kwargs={}, seed=0), [])
    return Decoder(answer.reader, lambda node: node).value(answer.value)


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
    last = (lines or [type(error).__name__])[-1].rstrip(".")
    return last if len(last) <= _PROBLEM_CHARS else f"{last[:_PROBLEM_CHARS]}…"


def _unescaped(place: str) -> str:
    """Return a path of /proc/self/mountinfo, where spaces and the like are written as octal numbers."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), place)
