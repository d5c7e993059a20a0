"""`grade release HW --out`: what students are given, as one zip file that works by itself.

    course.yml  START.md  START.zh.md
    assignments/<id>_<slug>/   assignment.yml  README.md  README.zh.md  stub(s)  notebook(s)  tests/*.py  embedded data

Only what is on this list is taken. course.yml and assignment.yml are written anew from what was read: comments stay
behind, and so does everything about hidden checks. Then the whole is searched for what must not be in it (withheld.py).

The same course gives the same bytes, on any machine and for anyone: names sorted, times and modes fixed, line ends
of POSIX, and nothing compressed, because each build of zlib compresses differently.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel

from autograder import __version__, withheld
from autograder.course import ASSIGNMENT_FILE, COURSE_FILE, LoadedAssignment, LoadedCourse
from autograder.errors import ConfigError, UsageError
from autograder.history import write_whole
from autograder.messages import Text, text
from autograder.notebook.generate import notebooks
from autograder.release import StubState, release_stubs, stubs

# Every key of course.yml and assignment.yml is either here or withheld; a test compares this with the models.
RELEASED_COURSE = ("id", "title", "timezone", "limits", "late", "assignments")
RELEASED_ASSIGNMENT = (
    "id", "title", "points", "frameworks", "entry", "seeds", "tasks", "checks", "metrics", "dataset", "mounts",
    "notebooks", "limits", "reference_s", "reference_attempt_s", "reference_needs", "benchmark_s",
)  # fmt: skip

_HANDOUTS = ("README.md", "README.zh.md")
_TEXTS = frozenset([".py", ".md", ".txt"])
_LICENCES = ("LICENSE", "LICENCE", "NOTICE", "COPYING")
_SKELETON = Path(__file__).with_name("skeleton")
_MARK = b"autograder: bundle for students, 1"  # the zip file's comment
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip file can say
_ON_UNIX = 3
_YAML_WIDTH = 120
_YAML_INDENT = 12  # of the deepest keys, at most


class Bundle(NamedTuple):
    """A bundle's content, and what it leaves behind."""

    files: dict[str, bytes]  # by path, sorted
    hidden_points: float
    metrics: tuple[str, ...]  # withheld
    left_out: tuple[str, ...]  # files beside the handout that are on no list


def make_bundle(course: LoadedCourse, assignment_ids: Sequence[str]) -> Bundle:
    """Return the bundle of some assignments.

    Args:
        course: the course, with hidden checks and solutions.
        assignment_ids: those to release; empty: all.

    Raises:
        UsageError: no such assignment.
        ConfigError: a stale stub, a link, data without a licence, or something in it that must stay hidden.
    """
    folders = course.assignment_folders()
    whole = [course.assignment(one) for one in folders]
    for one in assignment_ids:
        course.assignment(one)  # says which there are
    released = [one for one in whole if not assignment_ids or one.id in assignment_ids]
    if not released:
        raise UsageError(text("list.none"))
    files = {COURSE_FILE: _course_yml(course, [one.id for one in released]), **_start(course, released)}
    left_out: list[str] = []
    for assignment in released:
        parts = _assignment(assignment)
        prefix = f"assignments/{assignment.folder.name}/"
        files |= {prefix + name: content for name, content in parts.items()}
        left_out += [prefix + name for name in _others(assignment, parts)]
    leaks = withheld.find_leaks(files, released, whole)
    if leaks:
        raise ConfigError(text("bundle.leaks", leaks="\n  ".join(leaks)), hint=text("bundle.leaks_hint"))
    return Bundle(
        files=dict(sorted(files.items())),
        hidden_points=sum(one.spec.hidden_points for one in released),
        metrics=tuple(sorted(name for one in released for name in withheld.hidden_metrics(one))),
        left_out=tuple(left_out),
    )


def write_bundle(bundle: Bundle, out: Path, *, force: bool) -> None:
    """Write a bundle as a zip file.

    Args:
        bundle: to be written.
        out: the file; one that is there is written over only if it is a bundle.
        force: write over any file.

    Raises:
        UsageError: another file is there, or it can't be written.
    """
    if out.is_dir() or not out.parent.is_dir():
        raise UsageError(text("bundle.no_place", path=out))
    if out.exists() and not force and not _is_bundle(out):
        raise UsageError(text("bundle.exists", path=out), hint=text("bundle.exists_hint"))
    try:
        write_whole(out, zipped(bundle.files))
    except OSError as error:
        raise UsageError(text("bundle.cannot_write", path=out, problem=error.strerror or error)) from None


def describe(bundle: Bundle, out: Path) -> list[str]:
    """Return what the author reads: what is in the bundle, and what stayed behind."""
    size = sum(map(len, bundle.files.values()))
    lines = [text("bundle.made", file=out, count=len(bundle.files), kb=f"{size / 1000:,.0f}")]
    metrics = ", ".join(bundle.metrics) or "–"
    lines.append(text("bundle.withheld", points=f"{bundle.hidden_points:g}", metrics=metrics))
    return [*lines, *(text("bundle.left_out", file=name) for name in bundle.left_out)]


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip file whose bytes depend on names and contents alone."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _MARK
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = _ON_UNIX  # zipfile says 0 on Windows
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content)
    return made.getvalue()


def _is_bundle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment == _MARK
    except (OSError, zipfile.BadZipFile):
        return False


# --- an assignment's files ------------------------------------------------------------------------------------------


def _assignment(assignment: LoadedAssignment) -> dict[str, bytes]:
    """Return the released files of an assignment by their path in its folder."""
    _refuse_links(assignment.folder)
    for stub in release_stubs(assignment, write=False):
        if stub.state is StubState.STALE:
            raise ConfigError(text("validate.stub_stale", file=stub.path.name), file=stub.path.parent)
    files = {ASSIGNMENT_FILE: _assignment_yml(assignment)}
    generated = stubs(assignment) | notebooks(assignment)
    files |= {path.name: content.encode() for path, content in generated.items()}
    listed = [assignment.folder / name for name in _HANDOUTS]
    listed += assignment.tests.rglob("*.py")
    listed += _embedded(assignment)
    for path in listed:
        if path.is_file():
            files[path.relative_to(assignment.folder).as_posix()] = _content(path)
    return files


def _refuse_links(folder: Path) -> None:
    """A link in the folder could lead to a solution, or out of the course: its target would be taken for a file."""
    for parent, folders, names in os.walk(folder):
        for path in (Path(parent), *(Path(parent, name) for name in (*folders, *names))):
            if path.is_symlink():
                raise ConfigError(text("bundle.link"), file=path)


def _embedded(assignment: LoadedAssignment) -> list[Path]:
    """Return the files of the dataset that the assignment ships, its licence among them."""
    folder = assignment.embedded_data
    if folder is None:
        return []
    found = [path for path in folder.rglob("*") if path.is_file() and not _is_private(path.relative_to(folder))]
    if not any(path.name.upper().startswith(_LICENCES) for path in found):
        raise ConfigError(text("bundle.no_licence", names=", ".join(_LICENCES)), file=folder)
    return found


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    is_text = path.suffix in _TEXTS or path.name.upper() in _LICENCES
    return content.replace(b"\r\n", b"\n") if is_text else content


def _is_private(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _others(assignment: LoadedAssignment, taken: dict[str, bytes]) -> Iterator[str]:
    """Yield the files that are on no list, for the author to see: a picture of the handout's, perhaps."""
    for path in sorted(assignment.folder.rglob("*")):
        name = path.relative_to(assignment.folder)
        if path.is_file() and not _is_private(name) and name.parts[0] != "hidden" and name.as_posix() not in taken:
            yield name.as_posix()


# --- course.yml and assignment.yml ----------------------------------------------------------------------------------


def _course_yml(course: LoadedCourse, ids: list[str]) -> bytes:
    entries = tuple(entry for entry in course.spec.assignments if entry.id in ids)
    return _as_yaml(course.spec.model_copy(update={"assignments": entries}), RELEASED_COURSE)


def _assignment_yml(assignment: LoadedAssignment) -> bytes:
    spec = assignment.spec
    checks, metrics = withheld.public(assignment).checks, withheld.hidden_metrics(assignment)
    public = {
        "checks": {name: said for name, said in spec.checks.items() if name in checks},
        "metrics": {name: metric for name, metric in spec.metrics.items() if name not in metrics},
    }
    return _as_yaml(spec.model_copy(update=public), RELEASED_ASSIGNMENT)


# Not the C dumper, which is missing on some machines and breaks lines at other places.
class _Dumper(yaml.SafeDumper):
    """Writes short leaves on one line, `{en: …, zh: …}`, and long ones below each other."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:  # noqa: FBT001 - PyYAML's signature
        node = super().represent_mapping(tag, mapping, flow_style)
        if len(str(mapping)) > _YAML_WIDTH - 2 * _YAML_INDENT:
            node.flow_style = False
        return node


def _as_yaml(model: BaseModel, keys: Sequence[str]) -> bytes:
    """Write what was set of a model, as a person would: no defaults, 100 and not 100.0."""
    given = model.model_dump(mode="json", exclude_unset=True, exclude_none=True, include=set(keys))
    content = {key: _plain(given[key]) for key in keys if given.get(key) not in (None, {}, [])}
    return yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_YAML_WIDTH, line_break="\n",
        default_flow_style=None,
    ).encode()  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- START.md -------------------------------------------------------------------------------------------------------


def _start(course: LoadedCourse, released: list[LoadedAssignment]) -> dict[str, bytes]:
    first = released[0]
    choice = f" --framework {first.spec.frameworks[0]}" if len(first.spec.frameworks) > 1 else ""
    commands = {"list": "grade list", "start": f"grade start {first.id}{choice}", "check": f"grade check {first.id}"}
    widest = max(map(len, commands.values()))
    values = {f"{name}_command": command.ljust(widest) for name, command in commands.items()}
    values |= {"first": first.id, "version": __version__}
    made = {}
    for name, chinese in (("START.md", False), ("START.zh.md", True)):
        table = "\n".join(_table_row(one, chinese=chinese) for one in released)
        title = _in(course.spec.title, chinese=chinese)
        made[name] = Template(_content(_SKELETON / name).decode()).substitute(values, table=table, title=title).encode()
    return made


def _table_row(assignment: LoadedAssignment, *, chinese: bool) -> str:
    spec = assignment.spec
    title = _in(spec.title, chinese=chinese).replace("|", r"\|")
    return f"| {spec.id} | {title} | {spec.entry.file} | {', '.join(spec.frameworks) or '–'} |"


def _in(said: Text, *, chinese: bool) -> str:
    return said.zh or said.en if chinese else said.en
