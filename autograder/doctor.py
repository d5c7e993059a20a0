"""`grade doctor`: what works on this machine, and what to do about the rest.

choose a Python ──▶ a box ──▶ frameworks and devices, asked in boxes ──▶ data, disk, course ──▶ Diagnosis
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from autograder.box import pythons
from autograder.box.devices import has_nvidia_driver
from autograder.box.interpreter import Interpreter, choose, is_ours, ours, package_of
from autograder.box.probe import probe
from autograder.course import find_course
from autograder.datasets import states
from autograder.diagnosis import (
    DeviceFinding,
    Diagnosis,
    Finding,
    FrameworkFinding,
    Health,
    PythonFinding,
)
from autograder.errors import ConfigError, GradeError, UsageError
from autograder.judge.isolation import Wanted, choose_isolation
from autograder.judge.machine import FRAMEWORKS, KnownFramework, ask_box, ask_frameworks
from autograder.messages import text
from autograder.messages.commands import quoted
from autograder.report.words import device_text

_LEAST_BYTES, _ENOUGH_BYTES = 100 << 20, 2 << 30  # below: no box can work; a student's saved models and plots fit
_EXAMPLE = "hw2"  # for a command line, where no course is here


def diagnose(given: str | None, cwd: Path, tell: Callable[[str], None]) -> Diagnosis:
    """Look at everything that `grade check` needs.

    Args:
        given: another Python to look at (`--python`).
        cwd: where the user is.
        tell: told, in a line for the user, what is being done.

    Raises:
        UsageError: the Python that was given can't be used.
    """
    python = choose(given, tell)
    tell(text("doctor.asking"))
    box = ask_box(python)
    known = ask_frameworks(python) if not box.failure else []
    findings = [
        _python(python),
        _box(box.failure, box.start_s),
        *_frameworks(python, known),
        *_isolation(python),
        *_datasets(),
        _disk(Path(tempfile.gettempdir())),
        _course(cwd),
    ]
    return Diagnosis(
        python=python.version,
        python_path=python.executable,
        findings=tuple(findings),
        frameworks=tuple(_as_finding(framework) for framework in known),
    )


def find_pythons(cwd: Path, tell: Callable[[str], None]) -> Diagnosis:
    """Look for Pythons that have a framework."""
    tell(text("doctor.searching"))
    found = [_found(one) for one in pythons.find(cwd)]
    ordered = sorted(found, key=_worth, reverse=True)  # stable: otherwise in the order of the places
    best = ordered[0] if ordered and _worth(ordered[0]) else None
    return Diagnosis(
        python=ours().version,
        python_path=ours().executable,
        pythons=tuple(ordered),
        command=_command(cwd, best) if best else "",
    )


# --- lines ----------------------------------------------------------------------------------------------------------


def _python(python: Interpreter) -> Finding:
    key = "doctor.python_ours" if python.is_ours else "doctor.python_other"
    said = text(key, version=python.version, path=python.executable)
    return Finding(name="python", health=Health.GOOD, said=said)


def _box(failure: str, start_s: float) -> Finding:
    if failure:
        said = text("doctor.box_fails", problem=failure)
        return Finding(name="box", health=Health.BROKEN, said=said, hint=text("doctor.box_fails_hint"))
    return Finding(name="box", health=Health.GOOD, said=text("doctor.box_starts", seconds=f"{start_s:.1f}"))


def _frameworks(python: Interpreter, known: list[KnownFramework]) -> Iterator[Finding]:
    by_name = {framework.name: framework for framework in known}
    others = any(not framework.failure for framework in known)
    for name in FRAMEWORKS:
        yield _framework(by_name[name]) if name in by_name else _absent(name, python, others=others)


def _framework(known: KnownFramework) -> Finding:
    if known.failure:
        said, hint = text("doctor.framework_fails", problem=known.failure), text("doctor.framework_fails_hint")
        return Finding(name=known.name, health=Health.LACKING, said=said, hint=hint)
    devices = "; ".join(device_text(one.kind, one.name, one.memory_bytes) for one in known.devices)
    said = text("doctor.framework", version=known.version, devices=devices, seconds=f"{known.import_s:.1f}")
    if len(known.devices) > 1 or not (known.device_problem or has_nvidia_driver()):
        return Finding(name=known.name, health=Health.GOOD, said=said)
    why = text("doctor.gpu_unused")
    if known.device_problem:
        why = text("report.device_problem", problem=known.device_problem)
    return Finding(name=known.name, health=Health.LACKING, said=f"{said}. {why}", hint=text("doctor.gpu_hint"))


def _absent(name: str, python: Interpreter, *, others: bool) -> Finding:
    """A framework that is not installed; one is enough."""
    if others:
        return Finding(name=name, health=Health.OPTIONAL, said=text("doctor.not_needed"))
    install = text("usage.no_framework_hint", python=python.command, package=package_of(name))
    return Finding(
        name=name,
        health=Health.LACKING,
        said=text("doctor.not_installed"),
        hint=f"{install}\n{text('usage.find_python_hint')}",
    )


def _isolation(python: Interpreter) -> Iterator[Finding]:
    """Say how the student's code is shut in here, what else works, and how to get each thing that is missing."""
    frameworks = tuple(name for name in FRAMEWORKS if python.has(name))[:1]
    choice = choose_isolation(Wanted(frameworks=frameworks, private=(Path.home(),)), python)
    found = probe(every=True)
    others = ", ".join(one for one in found.backends if one != choice.isolation)
    also = text("doctor.isolation_others", names=others) if others else ""
    if choice.is_for_trusted:
        also = "\n".join(filter(None, (text("doctor.isolation_class", name=choice.isolation), also)))
    yield Finding(name="isolation", health=Health.GOOD, said=text(f"doctor.isolation_{choice.isolation}"), hint=also)
    for problem in (choice.why, choice.gpu_problem):
        if problem:
            yield Finding(name="isolation", health=Health.OPTIONAL, said=problem)
    if choice.grant.gpus:
        said = text("doctor.gpu_sealed", name=", ".join(gpu.name for gpu in choice.grant.gpus))
        yield Finding(name="isolation", health=Health.GOOD, said=said)
    for missing in found.missing:
        isolation = missing.isolation
        said = text("doctor.isolation_absent", name=isolation) if isolation else text("doctor.isolation_weaker")
        yield Finding(name="isolation", health=Health.OPTIONAL, said=said, hint="\n".join(missing.lines()))


def _datasets() -> Iterator[Finding]:
    for state in states():
        if state.folder is not None:
            said = text("doctor.data_there", folder=state.folder)
            yield Finding(name=state.name, health=Health.GOOD, said=said)
        else:
            said = text("doctor.data_missing", megabytes=f"{state.download_bytes / 1e6:.0f}")
            hint = text("doctor.data_hint", name=state.name)
            yield Finding(name=state.name, health=Health.OPTIONAL, said=said, hint=hint)


def _disk(scratch: Path) -> Finding:
    free = shutil.disk_usage(scratch).free
    said = text("doctor.disk", gigabytes=f"{free / (1 << 30):.1f}", folder=scratch)
    health = Health.BROKEN if free < _LEAST_BYTES else Health.LACKING if free < _ENOUGH_BYTES else Health.GOOD
    return Finding(
        name="disk", health=health, said=said, hint="" if health is Health.GOOD else text("doctor.disk_hint")
    )


def _course(cwd: Path) -> Finding:
    try:
        course = find_course(cwd)
        ids = ", ".join(course.assignment_folders())
    except ConfigError as error:
        return Finding(name="course", health=Health.BROKEN, said=error.message, hint=error.hint or "")
    except UsageError as error:
        return Finding(name="course", health=Health.LACKING, said=error.message, hint=error.hint or "")
    said = text("doctor.course", title=course.spec.title, folder=course.folder, ids=ids)
    return Finding(name="course", health=Health.GOOD, said=said)


# --- models ---------------------------------------------------------------------------------------------------------


def _as_finding(known: KnownFramework) -> FrameworkFinding:
    devices = tuple(DeviceFinding(kind=one.kind, name=one.name, memory=one.memory_bytes) for one in known.devices)
    return FrameworkFinding(name=known.name, version=known.version or None, devices=devices)


def _found(found: pythons.Found) -> PythonFinding:
    python = found.interpreter
    if python is None:
        return PythonFinding(path=str(found.path), problem=found.problem)
    problem = "" if python.has("numpy") else text("python.no_numpy", path=python.executable)
    versions = {name: python.packages.get(name) for name in ("numpy", *FRAMEWORKS)}
    return PythonFinding(
        path=python.executable, version=python.version, problem=problem, is_ours=is_ours(python), **versions
    )


def _worth(found: PythonFinding) -> int:
    """How many frameworks a Python has that could be used."""
    return 0 if found.problem else sum(version is not None for version in (found.torch, found.tensorflow))


def _command(cwd: Path, found: PythonFinding) -> str:
    check = f"grade check {_example(cwd, found)}"
    return check if found.is_ours else f"{check} --python {quoted(found.path)}"


def _example(cwd: Path, found: PythonFinding) -> str:
    """Return an assignment of this course that the Python could be used for."""
    try:
        course = find_course(cwd)
        assignments = [course.assignment(name) for name in course.assignment_folders()]
    except GradeError:
        return _EXAMPLE
    there = {"torch": found.torch, "tensorflow": found.tensorflow}
    fitting = (one.id for one in assignments if any(there[name] is not None for name in one.spec.frameworks))
    return next(fitting, _EXAMPLE)
