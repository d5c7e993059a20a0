"""How an attempt's boxes are closed, and with which GPU: the strictest that works here, with this device and Python."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from autograder.box.backends import NAMESPACES, PROCESS, RESTRICTED, TRUSTED_ONLY
from autograder.box.grant import NO_GPU, Grant, allowed
from autograder.box.interpreter import Interpreter
from autograder.box.nvml import Gpu, nvml
from autograder.box.probe import has_gpu, probe
from autograder.errors import UsageError
from autograder.judge.trial import Trial, exposed, try_gpu, try_python
from autograder.messages import text


class Wanted(NamedTuple):
    """What the boxes of an attempt are to be."""

    isolation: str = "auto"  # by name, or the strictest that works here; the environment may say what "auto" is
    device: str = "auto"
    grant: Grant | None = None  # a scheduler's; None: the first GPU, the whole of it
    frameworks: tuple[str, ...] = ()  # that the submission imports; without one no GPU is needed
    private: tuple[Path, ...] = ()  # folders that no sealed box may see: the course, the home
    processes: int = 0  # that the student's code may start; a restricted box can't have any
    for_class: bool = False  # others' code: "auto" does not settle for an isolation for trusted code


class Choice(NamedTuple):
    """How they are closed, and what they are granted."""

    isolation: str
    grant: Grant = NO_GPU
    why: str = ""  # it is not the strictest that this machine has, though nobody asked for less: why
    gpu_problem: str = ""  # why no sealed box can use the GPU; then "auto" does without the seal
    missing: str = (
        ""  # of `restricted`: why nothing stricter works here. Carried, for to find out takes most of a second
    )

    @property
    def is_for_trusted(self) -> bool:
        """Whether no class run takes it unless it is asked for by name."""
        return self.isolation in TRUSTED_ONLY


def choose_isolation(wanted: Wanted, python: Interpreter) -> Choice:
    """Return what to use.

    Args:
        wanted: what was asked for.
        python: to run the boxes with; one that no sealed box can be had with makes "auto" do without.

    Raises:
        UsageError: it does not work here, or, for a class, nothing does that is strict enough.
    """
    name = wanted.isolation
    if name == "auto":
        name = os.environ.get("GRADE_ISOLATION", "auto")
    if name != "auto":
        return _named(name, wanted, python)
    choice = _strictest(wanted, python)
    if wanted.for_class and choice.isolation in TRUSTED_ONLY:
        why = (
            choice.why or choice.gpu_problem or _stricter_missing() or text("isolation.unknown", platform=sys.platform)
        )
        raise UsageError(
            text("usage.class_isolation", isolation=choice.isolation, why=why),
            hint=text("usage.class_isolation_hint", isolation=choice.isolation),
        )
    return choice


def _strictest(wanted: Wanted, python: Interpreter) -> Choice:  # noqa: PLR0911 - one return a reason
    found = probe()
    best = PROCESS if found.best == RESTRICTED and wanted.processes else found.best
    open_, why = Choice(PROCESS, wanted.grant or NO_GPU), ""
    if best == PROCESS:
        return open_
    if why := _exposed_by_ours(python, wanted.private):
        return open_._replace(why=why)
    if best != NAMESPACES:  # only a zygote in namespaces is started with another Python, or given a GPU
        if not python.is_ours:
            return open_._replace(why=text("usage.class_isolation_python"))
        if _may_use_gpu(wanted):
            return open_._replace(gpu_problem=text("usage.class_isolation_gpu"))
        return _without_gpu(best)
    if why := _why_not_sealed(python, wanted.private):
        return open_._replace(why=why)
    grant, problem = _granted(wanted, python)
    return open_._replace(gpu_problem=problem) if problem else Choice(NAMESPACES, grant)


def _without_gpu(isolation: str) -> Choice:
    return Choice(isolation, missing=_stricter_missing() if isolation == RESTRICTED else "")


def _stricter_missing() -> str:
    """Return what stands in the way of isolations that are stricter than the best there is, in words."""
    return " ".join(missing.explained() for missing in probe().stricter_missing())


def _named(name: str, wanted: Wanted, python: Interpreter) -> Choice:
    """Return the isolation that was asked for by name.

    Raises:
        UsageError: it can't be had here, or not for this assignment or this Python.
    """
    if name == PROCESS:
        return Choice(PROCESS, wanted.grant or NO_GPU)
    if why := probe(every=True).why_not(name):
        raise _refused(name, why)
    if why := _exposed_by_ours(python, wanted.private):
        raise _refused(name, why)
    if name == RESTRICTED and wanted.processes:
        raise UsageError(
            text("usage.restricted_processes", count=wanted.processes), hint=text("usage.restricted_processes_hint")
        )
    if name != NAMESPACES:
        if not python.is_ours:
            raise _refused(name, text("usage.class_isolation_python"))
        return _without_gpu(name)
    if why := _why_not_sealed(python, wanted.private):
        raise _refused(name, why)
    grant, problem = _granted(wanted, python)
    return Choice(NAMESPACES, grant, gpu_problem=problem)


def _exposed_by_ours(python: Interpreter, private: tuple[Path, ...]) -> str:
    """Return why no box with grade's own Python hides what is private, in words; empty where they do, and for others.

    SECURITY: all of them show the folders of Python and of packages, whole. A course in one, such as /usr/src/app of a
    container or an environment that was made around it, would be open to the student's code with its hidden checks.
    """
    return exposed(_ours_shows(), private) if python.is_ours else ""


@cache
def _ours_shows() -> Trial:
    from autograder.box.linux.python import needed_folders

    return Trial("", tuple(map(Path, needed_folders([Path(__file__).resolve().parents[1]]))))


def _why_not_sealed(python: Interpreter, private: tuple[Path, ...]) -> str:
    """Return why boxes can't be sealed with a Python, in words; empty where they can, and for grade's own."""
    if python.is_ours:
        return ""
    trial = try_python(python)
    return trial.problem or exposed(trial, private)


def _granted(wanted: Wanted, python: Interpreter) -> tuple[Grant, str]:
    """Return what a sealed box is granted, and why not the GPU that it could have had, in words."""
    if not _may_use_gpu(wanted):
        return NO_GPU, ""
    grant = wanted.grant if wanted.grant is not None else first_gpu()
    if grant is None:
        return NO_GPU, text("isolation.gpu_fails", problem=text("isolation.gpu_no_library"))
    if not grant.gpus:
        return NO_GPU, ""
    trial = try_gpu(python, wanted.frameworks[0], grant)
    return (grant if trial.can_compute else NO_GPU), trial.problem


def _may_use_gpu(wanted: Wanted) -> bool:
    return wanted.device != "cpu" and bool(wanted.frameworks) and has_gpu()


def first_gpu() -> Grant | None:
    """Return a grant of the first GPU that the user's environment leaves, of none; None where they can't be asked."""
    found = gpus_here()
    return None if found is None else Grant(found[:1])


def gpus_here() -> tuple[Gpu, ...] | None:
    """Return the GPUs that the user's environment leaves; None where they can't be asked for."""
    library = nvml()
    return None if library is None else allowed(library.gpus(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def _refused(isolation: str, why: str) -> UsageError:
    return UsageError(text("usage.no_isolation", isolation=isolation, why=why), hint=text("usage.no_isolation_hint"))
