"""`grade nbgrader init`: an nbgrader course set up to be graded by our judge.

    nbgrader_config.py          a marked part of ours; what stands around it is the instructor's
    .gitignore                  where there is none: students' work and grades are not for a repository
    source/<id>/<id>.ipynb      made of the handout and the solution
    source/<id>/course.yml      and assignments/<id>_slug/: what students' check cells need, and nothing else
    gradebook.db                the assignments with their due dates

nbgrader releases whatever lies in `source/<id>/`, and puts it over what students have made of it when it grades. Hidden
checks stay in our own course, where the judge looks for them. `nbgrader generate_assignment` is left to the instructor.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from autograder.bundle import make_bundle
from autograder.course import COURSE_FILE, LoadedAssignment, LoadedCourse
from autograder.errors import ConfigError, UsageError
from autograder.history import FOLDER as ATTEMPTS
from autograder.history import write_whole
from autograder.messages import Language, text
from autograder.messages.commands import quoted
from autograder.nbgrader.gradebook import gradebook_of
from autograder.notebook.generate import NotebookFile, make_notebook, notebook_files
from autograder.notebook.plain_config import config_lines

CONFIG = "nbgrader_config.py"
_BEGIN = "# --- grade nbgrader init: this part is written anew each time; what stands outside of it stays ---"
_END = "# --- grade nbgrader init: end ---"
_BLOCK = re.compile(rf"^{re.escape(_BEGIN)}\n.*?^{re.escape(_END)}\n?", re.MULTILINE | re.DOTALL)
_GITIGNORE = ".gitignore"
_NOT_FOR_GIT = """\
# Students' work and grades. What is kept: source/ and nbgrader_config.py.
/submitted/
/autograded/
/feedback/
/gradebook.db*
/.submitted-*/
"""
_ASSIGNMENTS = "assignments"
_MADE_FROM = "made"  # in a notebook's metadata: what its cells were when it was made
_PLAIN_NOTEBOOK_S, _PLAIN_CELL_S = 600, 30  # the second is nbgrader's own
# hw2's check cells take a minute on a slow laptop. Not longer: for as long a cell that never ends blocks who validates.
_VALIDATED_CELL_S = 300
_NOT_RELEASED = frozenset(["START.md", "START.zh.md"])  # of a bundle; nbgrader's students start otherwise


class State(StrEnum):
    """What becomes of a file."""

    WRITTEN = "written"
    SAME = "same"
    KEPT = "kept"
    """The instructor has changed it."""
    REMOVED = "removed"
    DUE = "due"
    """Not a file: an assignment's due date in the gradebook."""
    OTHER_DUE = "other_due"
    """The gradebook has another one, which stays."""


class Change(NamedTuple):
    """What was, or would be, done about a file."""

    state: State
    what: str
    detail: str = ""


class Wanted(NamedTuple):
    """How a course is to be set up."""

    folder: Path
    """nbgrader's."""
    assignments: tuple[str, ...] = ()
    """None: all that have notebooks."""
    framework: str | None = None
    """None: each assignment's first."""
    language: Language = "en"
    """Of the notebooks, and so of the feedback."""
    force: bool = False
    """Write notebooks anew, too, that the instructor has changed."""
    dry_run: bool = False


def set_up(course: LoadedCourse, wanted: Wanted, tell: Callable[[str], None]) -> list[Change]:
    """Set an nbgrader course up, and return what that changed.

    Args:
        course: ours, with hidden checks and solutions.
        wanted: how.
        tell: told, in a line for the user, what is being done.

    Raises:
        UsageError: a folder in another nbgrader course, an assignment without a notebook, or not as asked.
        ConfigError: something that students must not see would be released.
    """
    folder = wanted.folder.absolute()
    _refuse_inside_another(folder)
    chosen = _chosen(course, wanted)
    files = {folder / CONFIG: _config(folder / CONFIG, course)}
    if not (folder / _GITIGNORE).exists():
        files[folder / _GITIGNORE] = _NOT_FOR_GIT.encode()
    stale: list[Path] = []
    made: list[Change] = []
    notebooks: dict[Path, str] = {}
    for assignment in chosen:
        tell(text("nbgrader.init.making", id=assignment.id))
        source = folder / "source" / assignment.id
        public = _public(course, assignment)
        files |= {source / name: content for name, content in public.items()}
        stale += [path for path in _below(source / _ASSIGNMENTS) if path.relative_to(source).as_posix() not in public]
        notebooks[source / f"{assignment.id}.ipynb"] = _notebook(assignment, wanted)
    made += [_written(path, content, folder, wanted) for path, content in files.items()]
    made += [_notebook_written(path, content, folder, wanted) for path, content in notebooks.items()]
    made += [_removed(path, folder, wanted) for path in stale]
    tell(text("nbgrader.init.dating"))
    return made + list(_due_dates(course, chosen, folder, wanted))


def _refuse_inside_another(folder: Path) -> None:
    """Refuse class/class: in `class`, `grade nbgrader init class` would begin a second course in the first."""
    outer = next((one for one in Path(os.path.normpath(folder)).parents if _is_course(one)), None)
    if outer is None:
        return
    command = f"grade nbgrader init {quoted(os.path.relpath(outer))}"
    said = text("nbgrader.init.inside", folder=folder, course=outer)
    raise UsageError(said, hint=text("nbgrader.init.inside_hint", command=command))


def _is_course(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and (folder / "source").is_dir()


def _chosen(course: LoadedCourse, wanted: Wanted) -> list[LoadedAssignment]:
    found = [course.assignment(one) for one in wanted.assignments or course.assignment_folders()]
    without = [one.id for one in found if not notebook_files(one)]
    if without and wanted.assignments:
        raise UsageError(text("nbgrader.init.no_notebook", ids=", ".join(without)))
    return [one for one in found if one.id not in without]


def _written(path: Path, content: bytes, folder: Path, wanted: Wanted) -> Change:
    name = path.relative_to(folder).as_posix()
    if path.is_file() and path.read_bytes() == content:
        return Change(State.SAME, name)
    if not wanted.dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    return Change(State.WRITTEN, name)


def _removed(path: Path, folder: Path, wanted: Wanted) -> Change:
    """A check that is hidden now must not be released any more."""
    if not wanted.dry_run:
        path.unlink()
    return Change(State.REMOVED, path.relative_to(folder).as_posix())


def _below(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() or path.is_symlink()]


# --- nbgrader_config.py -----------------------------------------------------------------------------------------------


def _config(path: Path, course: LoadedCourse) -> bytes:
    """Return the configuration with our part as it should be: where it stands already, else at the end."""
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if _BEGIN in before and not _BLOCK.search(before):
        raise ConfigError(text("nbgrader.init.no_end", line=_END), file=path)
    block = _block(course)
    if _BLOCK.search(before):
        return _BLOCK.sub(lambda _: block, before, count=1).encode()
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    return f"{before}{gap}{block}".encode()


def _block(course: LoadedCourse) -> str:
    lines = "\n".join(config_lines(course.spec.limits, _PLAIN_NOTEBOOK_S))
    return f"""\
{_BEGIN}
c = get_config()
if "course_id" not in c.CourseDirectory:
    c.CourseDirectory.course_id = {course.spec.id!r}
# What check cells remember of their runs, in source/ as in what students hand in: neither is released or copied.
c.CourseDirectory.ignore.append({ATTEMPTS!r})
# Validate runs notebooks by Execute, which by itself gives a cell 30 seconds: checks that train take longer.
if "timeout" not in c.Execute:
    c.Execute.timeout = {_VALIDATED_CELL_S}
    c.SafeExecute.timeout = {_PLAIN_CELL_S}
# Damaged hand-ins are repaired first. Our judge and box are in place of nbgrader's Execute, where a notebook has check
# cells of ours; where its tests lie in its cells, it is run by a kernel in a box.
c.GradeNotebook.course = {str(course.folder)!r}
c.Autograde.exporter_class = "autograder.nbgrader.staging.RepairingExporter"
{lines}
{_END}
"""


# --- source/ ----------------------------------------------------------------------------------------------------------


def _public(course: LoadedCourse, assignment: LoadedAssignment) -> dict[str, bytes]:
    """Return what lies beside the notebook: the bundle's files, which have been searched for what must stay hidden."""
    files = make_bundle(course, [assignment.id]).files
    kept = {name: content for name, content in files.items() if name not in _NOT_RELEASED}
    # The assignment's own notebook is what is released.
    return {name: content for name, content in kept.items() if PurePosixPath(name).suffix != ".ipynb"}


def _notebook(assignment: LoadedAssignment, wanted: Wanted) -> str:
    made = json.loads(make_notebook(assignment, _file(assignment, wanted), "solution"))
    made["metadata"]["autograder"][_MADE_FROM] = _fingerprint(made)
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _file(assignment: LoadedAssignment, wanted: Wanted) -> NotebookFile:
    found = notebook_files(assignment)
    framework = wanted.framework or next(iter(assignment.spec.frameworks), "")
    named = [one for one in found if one.language == wanted.language]
    if not named:
        raise UsageError(text("nbgrader.init.no_language", id=assignment.id, language=wanted.language))
    if not assignment.spec.frameworks:
        return named[0]
    if framework not in assignment.spec.frameworks:
        known = ", ".join(assignment.spec.frameworks)
        raise UsageError(text("nbgrader.init.no_framework", id=assignment.id, framework=framework, known=known))
    return named[assignment.spec.frameworks.index(framework)]


def _notebook_written(path: Path, content: str, folder: Path, wanted: Wanted) -> Change:
    if path.is_file() and not wanted.force and _is_edited(path):
        return Change(State.KEPT, path.relative_to(folder).as_posix())
    return _written(path, content.encode(), folder, wanted)


def _is_edited(path: Path) -> bool:
    """Whether somebody has worked on a notebook since it was made; JupyterLab writes the same cells in another way."""
    try:
        notebook = json.loads(path.read_bytes())
        return bool(notebook["metadata"]["autograder"][_MADE_FROM] != _fingerprint(notebook))
    except (ValueError, KeyError, TypeError):
        return True


def _fingerprint(notebook: dict[str, Any]) -> str:
    cells = [
        (cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("nbgrader")) for cell in notebook["cells"]
    ]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


# --- gradebook.db -----------------------------------------------------------------------------------------------------


def _due_dates(
    course: LoadedCourse, chosen: Iterable[LoadedAssignment], folder: Path, wanted: Wanted
) -> Iterator[Change]:
    """Give nbgrader's gradebook the due dates, by which it tells who is late."""
    dated = {one.id: due for one in chosen if (due := course.spec.due(one.id)) is not None}
    if wanted.dry_run and not (folder / "gradebook.db").exists():
        yield from (Change(State.DUE, name, _shown(due)) for name, due in dated.items())
        return
    if not dated:
        return
    with gradebook_of(folder) as gradebook:
        for name, due in dated.items():
            moment = due.astimezone(UTC).replace(tzinfo=None, microsecond=0)
            known = next((one.duedate for one in gradebook.assignments if one.name == name), None)
            if known is None:
                if not wanted.dry_run:
                    gradebook.update_or_create_assignment(name, duedate=moment)
                yield Change(State.DUE, name, _shown(due))
            elif known != moment:
                yield Change(State.OTHER_DUE, name, _shown(known.replace(tzinfo=UTC).astimezone(due.tzinfo)))


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}"


def describe(changes: Iterable[Change]) -> list[str]:
    """Return what is said of it: a line for each file, but one for all that lies beside a notebook."""
    lines: list[str] = []
    beside: dict[tuple[str, State], int] = {}
    for change in changes:
        parts = PurePosixPath(change.what).parts
        if len(parts) > 2 and (parts[2] == _ASSIGNMENTS or parts[-1] == COURSE_FILE):  # noqa: PLR2004 - source/<id>/…
            key = ("/".join(parts[:2]), change.state)
            beside[key] = beside.get(key, 0) + 1
        else:
            lines.append(text(f"nbgrader.init.{change.state}", what=change.what, detail=change.detail))
    for (folder, state), count in beside.items():
        what = text("nbgrader.init.beside", folder=folder, count=count)
        lines.append(text(f"nbgrader.init.{state}", what=what, detail=""))
    return lines
