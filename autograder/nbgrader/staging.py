"""What lies in `submitted/`, repaired before nbgrader looks at it, by its own command as by ours.

    c.Autograde.exporter_class = "autograder.nbgrader.staging.RepairingExporter"

nbgrader lists a class's notebooks, makes its exporter, and then goes from student to student. A renamed notebook it
passes over before any preprocessor has seen it, and a damaged one stops it before, so the exporter is where we come in:
when it is made, repaired hand-ins are laid out in a folder of their own, and nbgrader's converter is pointed at that. A
hand-in that is in order is a link there. `submitted/` itself is never written to.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autograder.messages import joined, printable, speaking, text
from autograder.nbgrader.repair import MAX_NOTEBOOK_BYTES, ReleasedCell, Repaired, nothing_in_it, repair, with_note
from autograder.submission import is_skipped

try:
    from nbconvert.exporters import NotebookExporter
    from nbgrader.api import Gradebook, MissingEntry
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.utils import parse_utc

    from autograder.notebook.released import feedback_language
except ModuleNotFoundError as missing:  # a student's install has none of this
    from autograder.errors import UsageError

    raise UsageError(
        text("nbgrader.not_installed", package=missing.name), hint=text("nbgrader.not_installed_hint")
    ) from None

_STEP = "{nbgrader_step}"
_TIMESTAMP = "timestamp.txt"
_MOST_TIMESTAMP_BYTES = 200

Released = Mapping[str, Sequence[ReleasedCell]]
"""The cells of each notebook of an assignment, by the notebook's name without `.ipynb`."""


class RepairingExporter(NotebookExporter):  # type: ignore[misc]  # nbconvert has no types
    """nbgrader's exporter; made for `autograde`, it has all that was handed in repaired first."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Removed with this exporter, or when the program ends.
        self.staged = stage(self.parent) if isinstance(self.parent, Autograde) else None


class Staged(NamedTuple):
    """Repaired hand-ins."""

    folder: tempfile.TemporaryDirectory[str]
    """That they lie in, as long as this is kept."""
    repaired: dict[str, str]
    """What was repaired, a line for each student concerned."""


def stage(converter: Any) -> Staged | None:
    """Lay out repaired hand-ins, and point nbgrader's converter at them; what is repaired is logged, too.

    Returns:
        None where nbgrader is left alone.
    """
    coursedir = converter.coursedir
    if not coursedir.directory_structure.startswith(_STEP):
        converter.log.warning(text("nbgrader.repair.structure", structure=coursedir.directory_structure))
        return None
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            released = released_notebooks(gradebook, coursedir.assignment_id)
    except MissingEntry:  # nbgrader says so itself
        return None
    folder = tempfile.TemporaryDirectory(prefix=".submitted-", dir=coursedir.root, ignore_cleanup_errors=True)
    staged = _pointed_at(coursedir, Path(folder.name).name)
    lines: dict[str, str] = {}
    language = feedback_language(converter.config, coursedir, coursedir.assignment_id)
    for student, source in hand_ins(coursedir):
        target = Path(staged.format_path(staged.submitted_directory, student, coursedir.assignment_id))
        with speaking(language):  # the student's notebook says it
            said = _staged_one(source, target, released)
        if said:
            about = joined(*map(printable, said))
            lines[student] = text("nbgrader.repair.line", student=printable(student), said=about)
            converter.log.warning("%s", lines[student])
    converter.coursedir = staged
    converter.init_notebooks()
    return Staged(folder, lines)


def _pointed_at(coursedir: Any, submitted: str) -> Any:
    """Return a copy that looks for hand-ins elsewhere. A copy: formgrader keeps one for as long as it runs."""
    given = {name: getattr(coursedir, name) for name in coursedir.trait_names(config=True)}
    return CourseDirectory(parent=coursedir.parent, **{**given, "submitted_directory": submitted})


def hand_ins(coursedir: Any) -> Iterator[tuple[str, Path]]:
    """Yield who has handed in what folder, of those that nbgrader was asked for."""
    step, assignment = coursedir.submitted_directory, coursedir.assignment_id
    pattern = re.compile(coursedir.format_path(step, "(?P<student>.*)", re.escape(assignment), escape=True))
    for path in sorted(glob.glob(coursedir.format_path(step, coursedir.student_id, assignment))):  # noqa: PTH207 - as nbgrader finds them
        found = pattern.fullmatch(path)
        if found and Path(path).is_dir():
            yield found["student"], Path(path)


def released_notebooks(gradebook: Any, assignment_id: str) -> dict[str, list[ReleasedCell]]:
    """Return the cells that nbgrader's gradebook knows of an assignment."""
    made: dict[str, list[ReleasedCell]] = {}
    for notebook in gradebook.find_assignment(assignment_id).notebooks:
        solutions = {cell.name for cell in notebook.solution_cells}
        tasks = {cell.name for cell in notebook.task_cells}
        points = {cell.name: cell.max_score for cell in (*notebook.grade_cells, *notebook.task_cells)}
        made[notebook.name] = [
            ReleasedCell(
                grade_id=cell.name,
                cell_type=cell.cell_type,
                source=cell.source or "",
                grade=cell.name in points and cell.name not in tasks,
                solution=cell.name in solutions,
                locked=cell.locked,
                task=cell.name in tasks,
                points=points.get(cell.name),
                checksum=cell.checksum,
            )
            for cell in notebook.source_cells
        ]
    return made


# --- one hand-in ------------------------------------------------------------------------------------------------------


def _staged_one(source: Path, target: Path, released: Released) -> list[str]:
    """Lay out one hand-in, or as it came where that fails: nbgrader will say what is wrong, of this one only."""
    try:
        return stage_one(source, target, released)
    # SECURITY: broad, for the files are a student's, and the whole class waits.
    except Exception as error:  # noqa: BLE001
        shutil.rmtree(target, ignore_errors=True)
        with contextlib.suppress(OSError):  # then there is nothing of this one
            _lay_out_as_it_came(source, target)
        return [text("nbgrader.repair.failed", problem=f"{type(error).__name__}: {error}")]


def _lay_out_as_it_came(source: Path, target: Path) -> None:
    """SECURITY: without its links, as ever: whatever made the repair fail may have been put there to have them kept."""
    if any(path.is_symlink() for path in _files(source)):
        _copy(source, target, _files(source))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source, target_is_directory=True)


class _Found(NamedTuple):
    """A notebook of a hand-in."""

    path: Path | None
    """None: there is none."""
    said: tuple[str, ...] = ()


def stage_one(source: Path, target: Path, released: Released) -> list[str]:
    """Lay out one hand-in; return what was repaired, a sentence each.

    Args:
        source: the student's folder.
        target: where it is to lie, repaired; it is not there yet.
        released: what should be in it.
    """
    links = [path for path in _files(source) if path.is_symlink()]
    said = [text("nbgrader.repair.link", files=_names(links, source))] if links else []
    stale = _bad_timestamp(source / _TIMESTAMP)
    said += [text("nbgrader.repair.timestamp", file=_TIMESTAMP)] if stale else []
    written: dict[str, dict[str, Any]] = {}
    for name, cells in released.items():
        found = _find(source, name, cells, others=released.keys() - {name})
        repaired = _repaired(found.path, cells, name)
        said += [*found.said, *repaired.said, *filter(None, [repaired.problem])]
        if repaired.notebook is not None or found.said:
            notebook = repaired.notebook or _parsed(found.path)
            written[name] = with_note(notebook, found.said) if found.said else notebook
    target.parent.mkdir(parents=True, exist_ok=True)
    if not said and not written:
        target.symlink_to(source, target_is_directory=True)
        return []
    left_out = {*links, *([source / _TIMESTAMP] if stale else []), *source.glob("*.ipynb")}
    kept = [source / f"{name}.ipynb" for name in released if name not in written]
    _copy(source, target, {path for path in _files(source) if path not in left_out or path in kept})
    for name, notebook in written.items():
        # SECURITY: JSON can hold half of a surrogate pair anywhere, in an output or a name; UTF-8 can't.
        content = json.dumps(notebook, ensure_ascii=False, indent=1).encode(errors="replace")
        (target / f"{name}.ipynb").write_bytes(content)
    return said


def _files(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder but for folders. A link to a folder is not gone into: it could lead anywhere."""
    for parent, folders, names in os.walk(folder):
        yield from (Path(parent, name) for name in folders if Path(parent, name).is_symlink())
        yield from (Path(parent, name) for name in names)


def _copy(source: Path, target: Path, files: Iterable[Path]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in files:
        # SECURITY: neither a link nor a pipe: what it leads to is not the student's, and reading a pipe waits for ever.
        if path.is_symlink() or not path.is_file():
            continue
        to = target / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, to)


def _bad_timestamp(path: Path) -> bool:
    """Whether nbgrader would stumble over the time that a hand-in came."""
    if path.is_symlink() or not path.exists():
        return False
    try:
        said = path.read_bytes()[:_MOST_TIMESTAMP_BYTES].decode().strip()
        if said:
            parse_utc(said)
    # Broad: dateutil raises whatever it comes upon.
    except Exception:  # noqa: BLE001
        return True
    return False


def _find(source: Path, name: str, cells: Sequence[ReleasedCell], others: Iterable[str]) -> _Found:
    """Return the notebook of that name, or the one that it has been renamed to."""
    expected = source / f"{name}.ipynb"
    if expected.is_file() and not expected.is_symlink():
        return _Found(expected)
    taken = {f"{other}.ipynb" for other in others}
    candidates = [
        path
        for path in sorted(_files(source))
        if path.suffix.lower() == ".ipynb" and path.name not in taken and path.is_file() and not path.is_symlink()
        if not is_skipped(path.relative_to(source).parts)
    ]
    ranked = sorted(candidates, key=lambda path: (_known_cells(path, cells), path.stat().st_mtime), reverse=True)
    if not ranked:
        return _Found(None)
    best, *rest = ranked
    shown = {"file": best.relative_to(source).as_posix(), "name": expected.name}
    if not rest:
        return _Found(best, (text("nbgrader.repair.renamed", **shown),))
    return _Found(best, (text("nbgrader.repair.renamed_several", **shown, others=_names(rest, source)),))


def _known_cells(path: Path, cells: Sequence[ReleasedCell]) -> int:
    """Return how many of the released cells a notebook names."""
    if path.stat().st_size > MAX_NOTEBOOK_BYTES:
        return 0
    content = path.read_bytes()
    return sum(f'"{cell.grade_id}"'.encode() in content for cell in cells)


def _repaired(path: Path | None, cells: Sequence[ReleasedCell], name: str) -> Repaired:
    if path is None:
        return nothing_in_it(cells, text("nbgrader.repair.none", name=f"{name}.ipynb"))
    if path.stat().st_size > MAX_NOTEBOOK_BYTES:
        sizes = {"size": path.stat().st_size >> 20, "most": MAX_NOTEBOOK_BYTES >> 20}
        return nothing_in_it(cells, text("nbgrader.repair.too_large", **sizes))
    return repair(path.read_bytes(), cells)


def _parsed(path: Path | None) -> dict[str, Any]:
    """Read a notebook that has been found to be in order."""
    with contextlib.suppress(OSError, ValueError):
        if path is not None:
            return dict(json.loads(path.read_bytes()))
    raise AssertionError(path)


def _names(paths: Iterable[Path], source: Path) -> str:
    return ", ".join(sorted(path.relative_to(source).as_posix() for path in paths))
