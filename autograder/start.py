"""`grade start`: a folder to work in, with the stub, the handout and copies of the public checks.

What the student has changed is never touched. `.grade/started.json` keeps the hash of every file that was written, so
that a file which is still as it was written can follow the course: a corrected handout arrives, an edited one stays.
"""

from __future__ import annotations

import hashlib
import os
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from autograder import history
from autograder.box.interpreter import ENVIRONMENT, Interpreter, ask, locate, ours
from autograder.course import LoadedAssignment, LoadedCourse
from autograder.errors import ConfigError, UsageError
from autograder.messages import language, text
from autograder.messages.commands import quoted

HANDOUTS = ("README.md", "README.zh.md")
_STARTED = "started.json"
# Beside the copies: plain pytest takes two test_mlp.py of one name for a mistake, and copies are not what is graded.
_CONFTEST = '''\
"""What lies here are copies of the checks, to be read. `grade check {id}` runs the course's own; pytest skips these."""

collect_ignore_glob = ["*"]
'''


class FileState(StrEnum):
    """What became of a file."""

    MADE = "made"
    REFRESHED = "refreshed"  # it was as we wrote it, and the course has a newer one
    SAME = "same"
    KEPT = "kept"  # the student's: it differs from the course's and from what we wrote


class StartedFile(NamedTuple):
    """One file of the folder."""

    path: Path
    state: FileState


class Started(NamedTuple):
    """What `grade start` came to."""

    assignment: str
    folder: Path
    entry: Path
    files: tuple[StartedFile, ...]
    begun: str | None = None  # the framework that the entry file is for, where it is another than the one asked for
    asked: str | None = None
    chosen: str | None = None  # the framework, where the assignment leaves the choice and nobody has made it


class _Folder(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    assignment: str
    framework: str | None = None
    sha256: dict[str, str] = {}  # by the file's path in the folder


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    folders: dict[str, _Folder] = {}  # by their path in the course's folder


def start(  # noqa: PLR0913 - each is an option of the command
    course: LoadedCourse,
    assignment_id: str,
    *,
    framework: str | None,
    to: Path | None,
    cwd: Path,
    notebook: bool = False,
) -> Started:
    """Make or renew the folder in which a student works on an assignment.

    Args:
        course: the course.
        assignment_id: "hw2".
        framework: where the assignment leaves the choice; None takes the one begun with, else the one installed.
        to: the folder; None takes ./hw2/, or the working directory where that was started before.
        cwd: the working directory.
        notebook: to work in, instead of a module; where one was begun before, it is gone on with.

    Raises:
        UsageError: no such assignment, no notebook of it, a framework to choose, a folder that can't be used.
        ConfigError: the assignment has no stub.
    """
    assignment = course.assignment(assignment_id)
    manifest = _read_manifest(course)
    folder = _folder(course, assignment, manifest, to, cwd)
    key = _key(course, folder)
    before = manifest.folders.get(key) or _Folder(assignment=assignment.id)
    if before.assignment != assignment.id:
        raise UsageError(text("start.other", folder=_shown(folder, cwd), id=before.assignment))
    chosen = _framework(assignment, framework or before.framework)
    entry = f"{assignment.id}.ipynb" if notebook else assignment.spec.entry.file
    if not notebook and entry not in before.sha256 and f"{assignment.id}.ipynb" in before.sha256:
        entry = f"{assignment.id}.ipynb"
    wanted = _files(assignment, chosen, entry)
    try:
        done = {name: _put(folder, name, content, before.sha256.get(name)) for name, content in wanted.items()}
    except OSError as error:
        problem = error.strerror or str(error)
        said = text("start.cannot_write", folder=_shown(folder, cwd), problem=problem)
        raise UsageError(said, hint=text("start.to_hint")) from None
    ours = {name: _sha256(wanted[name]) for name, state in done.items() if state is not FileState.KEPT}
    # A file of the student's stays, and so does what it was begun with.
    kept = done[entry] is FileState.KEPT
    begun = before.framework if kept and before.framework != chosen else None
    now = _Folder(assignment=assignment.id, framework=begun or chosen, sha256=before.sha256 | ours)
    _write_manifest(course, manifest.model_copy(update={"folders": manifest.folders | {key: now}}))
    files = tuple(StartedFile(folder / name, state) for name, state in done.items())
    is_ours = not (framework or before.framework) and len(assignment.spec.frameworks) > 1
    return Started(
        assignment.id, folder, folder / entry, files, begun, chosen if begun else None, chosen if is_ours else None
    )


def describe(started: Started, cwd: Path) -> list[str]:
    """Return what the student reads: a line about each file, and what to do next."""
    lines = [text(f"start.{file.state.value}", file=_shown(file.path, cwd)) for file in started.files]
    if started.chosen:
        lines.append(text("start.chosen", framework=started.chosen))
    # Without a file where `grade check` finds it by itself.
    found = started.folder in {cwd, cwd / started.assignment}
    if started.entry.suffix == ".ipynb":  # beside a .py that was begun, too, that one would be checked
        found = found and not any(started.folder.glob("*.py"))
    entry = _shown(started.entry, cwd)
    if started.begun:
        folder = _shown(started.folder.with_name(f"{started.folder.name}_{started.asked}"), cwd)
        other = f"grade start {started.assignment} --framework {started.asked} --to {quoted(folder)}"
        lines.append(text("start.other_framework", file=entry, begun=started.begun, asked=started.asked, command=other))
    command = f"grade check {started.assignment}" + ("" if found else f" {quoted(entry)}")
    return [*lines, text("start.next", file=entry, command=command)]


# --- what and where -------------------------------------------------------------------------------------------------


def _files(assignment: LoadedAssignment, framework: str | None, entry: str) -> dict[str, str]:
    """Return the content of each file by its path in the folder, the one to edit first."""
    stub = assignment.folder / _stub_name(assignment, framework, notebook=entry.endswith(".ipynb"))
    if not stub.is_file() and entry.endswith(".ipynb"):
        raise _no_notebook(assignment, entry)
    if not stub.is_file():
        raise ConfigError(text("start.no_stub", file=stub.name), file=assignment.folder)
    found = {entry: stub}
    found |= {name: path for name in HANDOUTS if (path := assignment.folder / name).is_file()}
    for path in sorted(assignment.tests.rglob("*.py")):
        if path.name != "conftest.py":
            found[path.relative_to(assignment.folder).as_posix()] = path
    made = {name: _read(path) for name, path in found.items()}
    return made | {"tests/conftest.py": _CONFTEST.format(id=assignment.id)}


def _no_notebook(assignment: LoadedAssignment, entry: str) -> UsageError:
    """Return what is wrong: an nbgrader course releases the notebook itself, beside course.yml, and no other."""
    if (assignment.root / entry).is_file():
        return UsageError(text("start.notebook_is_here", file=assignment.root / entry), hint=text("start.open_it"))
    said = text("start.no_notebook", id=assignment.id)
    return UsageError(said, hint=text("start.no_notebook_hint", file=assignment.spec.entry.file))


def _stub_name(assignment: LoadedAssignment, framework: str | None, *, notebook: bool) -> str:
    stem, suffix = (assignment.id, ".ipynb") if notebook else (Path(assignment.spec.entry.file).stem, ".py")
    name = f"{stem}_{framework}" if framework else stem
    translated = f"{name}.{language()}{suffix}"  # only notebooks have one: a module's texts are in English
    return translated if (assignment.folder / translated).is_file() else f"{name}{suffix}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")  # with the line ends of any checkout, as \n


def _folder(
    course: LoadedCourse, assignment: LoadedAssignment, manifest: _Manifest, to: Path | None, cwd: Path
) -> Path:
    begun = manifest.folders.get(_key(course, cwd))
    if to is None and begun is not None and begun.assignment == assignment.id:
        return cwd
    folder = Path(os.path.normpath(cwd / (to or assignment.id)))
    if any(parent.exists() and not parent.is_dir() for parent in (folder, *folder.parents)):
        raise UsageError(text("start.not_a_folder", folder=_shown(folder, cwd)))
    for name in ("assignments", "solutions"):
        if folder.resolve().is_relative_to((course.folder / name).resolve()):
            raise UsageError(text("start.in_the_course", folder=_shown(folder, cwd)), hint=text("start.to_hint"))
    return folder


def _framework(assignment: LoadedAssignment, asked: str | None) -> str | None:
    """Return the framework whose stub is wanted; None where the assignment has only one stub for all."""
    offered = assignment.spec.frameworks
    if not offered:
        if asked:
            raise UsageError(text("start.no_framework", id=assignment.id), hint=text("start.leave_out"))
        return None
    if asked in offered:
        return asked
    if asked:
        either = text("start.either").join(offered)
        raise UsageError(text("start.not_offered", id=assignment.id, framework=asked, offered=either))
    installed = [name for name in offered if _python().has(name)]
    if len(offered) == 1 or len(installed) == 1:
        return (installed or list(offered))[0]
    raise UsageError(
        text("start.choose", id=assignment.id, offered=text("start.either").join(offered)),
        hint=text("start.choose_hint", commands=text("start.or").join(assignment.start_commands)),
    )


def _python() -> Interpreter:
    """Return the Python that `grade check` will run with: grade's own, or the one that GRADE_PYTHON names."""
    given = os.environ.get(ENVIRONMENT)
    return ask(locate(given)) if given else ours()


# --- one file -------------------------------------------------------------------------------------------------------


def _put(folder: Path, name: str, content: str, written: str | None) -> FileState:
    """Write a file unless it is the student's.

    Args:
        folder: where.
        name: the file's path in it.
        content: what the course has now.
        written: the hash of what we wrote before; None: nothing.
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:  # never over what is there
            file.write(content)
    except FileExistsError:
        return _renew(path, content, written)
    return FileState.MADE


def _renew(path: Path, content: str, written: str | None) -> FileState:
    if path.is_symlink() or not path.is_file():
        return FileState.KEPT
    try:
        there = _sha256(_read(path))
    except UnicodeDecodeError:
        return FileState.KEPT
    if there == _sha256(content):
        return FileState.SAME
    if there != written:
        return FileState.KEPT
    history.write_whole(path, content.encode())
    return FileState.REFRESHED


def _sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


# --- the manifest ---------------------------------------------------------------------------------------------------


def _key(course: LoadedCourse, folder: Path) -> str:
    resolved = folder.resolve()
    inside = resolved.is_relative_to(course.folder)
    return resolved.relative_to(course.folder).as_posix() if inside else resolved.as_posix()


def _read_manifest(course: LoadedCourse) -> _Manifest:
    """Return what was started before; nothing where the file is missing or isn't ours: then every file is kept."""
    try:
        return _Manifest.model_validate_json((course.folder / history.FOLDER / _STARTED).read_bytes())
    except (OSError, ValidationError):
        return _Manifest()


def _write_manifest(course: LoadedCourse, manifest: _Manifest) -> None:
    try:
        history.write_whole(history.prepare(course.folder) / _STARTED, manifest.model_dump_json(indent=2).encode())
    except OSError:
        return  # a course that can't be written: the files are there, and a later start keeps them


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
