"""What a student hands in: found, read within caps, decoded; a notebook becomes a module. Nothing is executed here.

A `Submission` is immutable: files by relative path, the main one, and a hash over both.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from autograder.assignment import FRAMEWORKS
from autograder.course import LoadedAssignment
from autograder.errors import UsageError
from autograder.file_kind import ARCHIVE_SUFFIXES, ARCHIVES, is_notebook, other_kind
from autograder.messages import text
from autograder.messages.commands import quoted
from autograder.zip_archive import Caps, TooLarge, read_zip

MAX_FILE_BYTES = 20 << 20  # source files and small model files; datasets are not handed in
MAX_TOTAL_BYTES = 100 << 20
MAX_FILES = 500
_MAX_NAME = 100  # characters of a module's
_MOST_IMPORTED = 1000  # modules of one file that are looked at
# macOS keeps a folder's picture in a file called Icon and a carriage return.
_SKIPPED = frozenset(["__pycache__", "__MACOSX", "node_modules", "venv", "site-packages", "Icon\r", "Thumbs.db"])
# No name for a file everywhere, or none that a message can hold.
_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f:\\\ud800-\udfff]")
_ENCODINGS = ("utf-8-sig", "gb18030")  # gb18030 takes in GBK and GB2312, which Chinese editors on Windows write

_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(?P<one>[^\W\d]\w*)|import[ \t]+(?P<several>[^#\n;]+))", re.MULTILINE)
_PART = re.compile(r"[^,]+")
_DEFINITION = r"^(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|^{name}[ \t]*[:=]"
# What each import makes of the framework: keras 3 computes with tensorflow unless told otherwise.
_FRAMEWORK_OF_IMPORT = {"torch": "torch", "tensorflow": "tensorflow", "keras": "tensorflow"}


def computing_framework(frameworks: tuple[str, ...]) -> str | None:
    """Return the framework that code which imports all of these computes with; None where it is none of them."""
    return next((name for name in frameworks if name in FRAMEWORKS), None)


class CellStart(NamedTuple):
    """Where a notebook's code cell begins in the module that was made of it."""

    line: int  # of the module, from 1
    cell: int  # among the code cells, from 1


@dataclass(frozen=True)
class Submission:
    """Files handed in."""

    main: str
    files: dict[str, bytes]
    name: str  # of the file as the student knows it
    cells: tuple[CellStart, ...] = field(default=())  # of a notebook

    @cached_property
    def sha256(self) -> str:
        """A hash over the names and bytes of all files."""
        return sha256_of(self.files)

    @cached_property
    def source(self) -> str:
        """The main file's text."""
        return decode(self.files[self.main])

    @cached_property
    def frameworks(self) -> tuple[str, ...]:
        """Which frameworks the files import, main file first."""
        order = [self.source, *(decode(content) for name, content in self.files.items() if name.endswith(".py"))]
        found = (_FRAMEWORK_OF_IMPORT.get(match) for source in order for match in imported_modules(source))
        return tuple(dict.fromkeys(name for name in found if name))

    def framework(self) -> str | None:
        """The framework that the submission computes with; None where it imports none."""
        return computing_framework(self.frameworks)

    def cell_at(self, line: int) -> CellStart:
        """Return the notebook's code cell that a line of the module comes from."""
        return self.cells[max(bisect_right([cell.line for cell in self.cells], line) - 1, 0)]

    def place(self, file: str, line: int) -> str:
        """Return a line of the module as the student knows it: `mlp.py:12`, or `mlp.ipynb, cell 3, line 2`."""
        if file != self.main or not self.cells:
            return f"{self.name if file == self.main else file}:{line}"
        start = self.cell_at(line)
        return text("report.cell_line", file=self.name, cell=start.cell, line=line - start.line + 1)


def sha256_of(files: Mapping[str, bytes]) -> str:
    """Return a hash over the names and bytes of files."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def decode(content: bytes) -> str:
    """Return source text: by its byte order mark, UTF-8, GB18030, else with replacements. Line ends become LF."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16", *_ENCODINGS) if marked else _ENCODINGS:
        try:
            return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", errors="replace")


def imported_modules(source: str) -> list[str]:
    """Return the top-level names of what a source's import lines import: torch of `import time, torch.nn as nn`.

    Lines are searched, not parsed: this runs in the judge, and a parser can be made to overflow its stack.
    """
    # SECURITY: 20 MB of `import a,a,a` would keep a class run waiting for a minute. No homework has more than a few.
    parts = itertools.islice(_imported_parts(source), _MOST_IMPORTED)
    found = [words[0].partition(".")[0] for part in parts if (words := part.split(maxsplit=1))]
    # A line of text can begin with "import", too, and what follows it is no name, or a long one.
    return [name for name in found if len(name) <= _MAX_NAME and name.isidentifier()]


def _imported_parts(source: str) -> Iterator[str]:
    for match in _IMPORT.finditer(source):
        if match["one"]:
            yield match["one"]
        else:
            yield from (part[0] for part in _PART.finditer(match["several"]))


def find(assignment: LoadedAssignment, given: Path | None, cwd: Path, *, course_stub: bool = False) -> Submission:
    """Find and read what is to be checked.

    Args:
        assignment: says which file is expected.
        given: a file, notebook, folder or .zip; None looks in the working directory and the assignment's own folder.
        cwd: the working directory.
        course_stub: take the course's own stub where there is nothing else.

    Raises:
        UsageError: nothing there, several candidates, empty, too large.
    """
    if given is None:
        found = _in_usual_places(assignment, cwd)
        if not course_stub:
            _require_own(found, assignment, cwd)
        return read_file(_only(found, assignment, cwd), cwd)
    path = given if given.is_absolute() else cwd / given
    if path.is_dir():
        return from_files(files_in(path), assignment, path.name, _shown(path, cwd))
    if not path.is_file():
        raise UsageError(text("usage.no_file", file=given), hint=_near_file(path, assignment))
    if path.suffix.lower() == ".zip":
        return from_files(files_in_zip(path), assignment, path.name, None)
    return read_file(path, cwd)


def read_file(path: Path, cwd: Path | None = None) -> Submission:
    """Read one .py or .ipynb file, with the siblings that it imports."""
    suffix = path.suffix.lower()
    if suffix not in {".py", ".ipynb"}:
        hint = text("usage.unpack_hint" if suffix in ARCHIVE_SUFFIXES else "usage.not_python_hint")
        raise UsageError(text("usage.not_python", file=_shown(path, cwd)), hint=hint)
    content = _read(path)
    if not decode(content).strip():
        raise UsageError(text("usage.empty_file", file=_shown(path, cwd)), hint=text("usage.empty_file_hint"))
    alone = _assemble(path.name, {path.name: content})
    siblings = _as_utf8(_imported_siblings(path, alone.source))
    return replace(alone, files=siblings | alone.files)


def _assemble(main: str, files: dict[str, bytes]) -> Submission:
    """Make a Submission of files as they were handed in: a notebook becomes a module, sources become UTF-8.

    Raises:
        UsageError: the main file is neither source nor a notebook, whatever it is called.
    """
    plain = _plain_names(files)
    main, files = plain[main], {plain[name]: content for name, content in files.items()}
    if kind := other_kind(files[main]):
        hint = text("usage.unpack_hint" if kind in ARCHIVES else "usage.renamed_hint")
        raise UsageError(text("usage.other_kind", file=main, kind=kind), hint=hint)
    if main.lower().endswith(".ipynb") or is_notebook(files[main]):
        from autograder.notebook_source import notebook_to_module

        module = notebook_to_module(files[main], main)
        name = f"{PurePosixPath(main).stem}.py"
        others = {other: content for other, content in files.items() if other not in {main, name}}
        return Submission(name, {name: module.source.encode(), **_as_utf8(others)}, main, module.cells)
    return Submission(main, _as_utf8(files), main)


def _plain_names(files: Iterable[str]) -> dict[str, str]:
    """Return what each file is called from here on: as it was, unless a box or a message can't take that name."""
    given = sorted(files, key=lambda name: bool(_NOT_PLAIN.search(name)))  # what is plain already keeps its name
    made: dict[str, str] = {}
    for name in given:
        parts = [_plain(part) for part in name.split("/")]
        while "/".join(parts) in made.values():
            parts[-1] = f"_{parts[-1]}"
        made[name] = "/".join(parts)
    return made


def _plain(part: str) -> str:
    """Return a file's or folder's name without what is no name everywhere.

    A GBK name, as unpacking a Windows archive on Linux leaves it, comes with a lone surrogate for each byte that is
    not ASCII, and those can't be sent or written.
    """
    if any("\ud800" <= char <= "\udfff" for char in part):
        with contextlib.suppress(UnicodeError):
            part = part.encode(errors="surrogateescape").decode("gb18030")
    return _NOT_PLAIN.sub("_", part)


def _as_utf8(files: dict[str, bytes]) -> dict[str, bytes]:
    """Python reads source as UTF-8: a GBK comment would be a syntax error that no student understands."""
    return {
        name: _without_coding_line(decode(content)).encode() if name.endswith(".py") else content
        for name, content in files.items()
    }


def _without_coding_line(source: str) -> str:
    """Blank a `# -*- coding: gbk -*-` line: the text is UTF-8 by now."""
    head, newline, rest = source.partition("\n")
    second, second_newline, tail = rest.partition("\n")
    coding = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+.*$")
    return coding.sub("#", head) + newline + coding.sub("#", second) + second_newline + tail


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise UsageError(text("usage.file_too_large", file=path.name, size=size >> 20, limit=MAX_FILE_BYTES >> 20))
    return path.read_bytes()


def _imported_siblings(path: Path, source: str) -> dict[str, bytes]:
    """Return the .py files beside `path` that it imports, and those that they import."""
    found: dict[str, bytes] = {}
    waiting = [source]
    while waiting:
        for name in imported_modules(waiting.pop()):
            sibling = path.with_name(f"{name}.py")
            if sibling.name not in found and sibling != path and sibling.is_file() and len(found) < MAX_FILES:
                found[sibling.name] = _read(sibling)
                waiting.append(decode(found[sibling.name]))
    return found


# --- where to look --------------------------------------------------------------------------------------------------


def _candidates_in(folder: Path, assignment: LoadedAssignment) -> list[Path]:
    """Return the files of the expected names in `folder`: mlp.py, mlp_torch.py, mlp.ipynb, hw2.ipynb and so on."""
    stems = dict.fromkeys(Path(name).stem for name in (assignment.spec.entry.file, *assignment.stub_names))
    names = [f"{stem}{suffix}" for stem in stems for suffix in (".py", ".ipynb")]
    paths = [folder / name for name in dict.fromkeys([*names, *assignment.notebook_names])]
    return [path for path in paths if path.is_file()]


def _in_usual_places(assignment: LoadedAssignment, cwd: Path) -> list[Path]:
    """Look where students work: here, ./hw2/, the assignment's own folder. The first place that has any counts."""
    for folder in dict.fromkeys((cwd, cwd / assignment.id, cwd / assignment.folder.name, assignment.folder)):
        if found := _candidates_in(folder, assignment):
            return found
    return []


def _require_own(found: list[Path], assignment: LoadedAssignment, cwd: Path) -> None:
    """Raise UsageError where only the course's own stubs were found: whoever stands among them means them."""
    if not found or found[0].parent != assignment.folder or assignment.folder == cwd:
        return
    if all(_is_stub(path.name, path.read_bytes()) for path in found):
        raise UsageError(
            text("usage.not_started", file=assignment.spec.entry.file),
            hint=text("usage.not_started_hint", commands=text("start.or").join(assignment.start_commands)),
        )


def _only(found: list[Path], assignment: LoadedAssignment, cwd: Path) -> Path:
    """Return the one file meant: of several, the one that is no longer the untouched stub."""
    if not found:
        file = assignment.spec.entry.file
        raise UsageError(
            text("usage.nothing_here", id=assignment.id, file=file),
            hint=text("usage.nothing_here_hint", id=assignment.id, file=file),
        )
    worked_on = [path for path in found if not _is_stub(path.name, path.read_bytes())]
    if not worked_on:  # of a notebook and a module that nobody has touched, the module
        worked_on = [path for path in found if path.suffix == ".py"] or found
    if len(worked_on) > 1:
        raise UsageError(
            text("usage.several", files=", ".join(_shown(path, cwd) for path in worked_on)),
            hint=text("usage.several_hint", id=assignment.id, file=quoted(_shown(worked_on[0], cwd))),
        )
    return worked_on[0]


def _is_stub(name: str, content: bytes) -> bool:
    """Whether a file still raises for every task: what tells an untouched stub from the one being worked on."""
    if not name.endswith((".py", ".ipynb")):
        return False
    source = decode(content)  # a notebook's too: JSON writes neither text another way
    return source.count("# BEGIN SOLUTION") == source.count("raise NotImplementedError(") > 0


def files_in(folder: Path) -> dict[str, bytes]:
    """Read a folder handed in: every file within the caps."""
    files: dict[str, bytes] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        # A link could lead anywhere.
        if is_skipped(relative.parts) or path.is_symlink() or not path.is_file():
            continue
        content = _read(path)
        total += len(content)
        if len(files) >= MAX_FILES or total > MAX_TOTAL_BYTES:
            raise too_large(folder.name)
        files[relative.as_posix()] = content
    return files


def files_in_zip(path: Path) -> dict[str, bytes]:
    """Read a .zip handed in, within the caps."""
    try:
        return read_zip(path, caps=Caps(MAX_FILES, MAX_FILE_BYTES, MAX_TOTAL_BYTES), skipped=is_skipped)
    except TooLarge:
        raise too_large(path.name) from None


def is_skipped(parts: tuple[str, ...]) -> bool:
    """Whether a path, by its parts, is none of the student's: caches, environments, what systems leave behind."""
    # Not "..": a name in an archive that leads elsewhere is refused, and not passed over.
    return any(part in _SKIPPED or (part.startswith(".") and part != "..") for part in parts)


def too_large(name: str) -> UsageError:
    """Return the error for a folder or archive that holds more than may be handed in."""
    caps = {"files": MAX_FILES, "mb": MAX_TOTAL_BYTES >> 20, "file_mb": MAX_FILE_BYTES >> 20}
    return UsageError(text("usage.folder_too_large", folder=name, **caps))


def from_files(files: dict[str, bytes], assignment: LoadedAssignment, name: str, shown: str | None) -> Submission:
    """Make a Submission of all files in a folder or archive: the main one by its name, else by what it defines.

    Args:
        files: by their path in it.
        assignment: says which file is expected.
        name: of the folder or archive.
        shown: the folder, as one of its files can be named with; None for an archive, whose files can't be.
    """
    main = _main_of(files, assignment, name, shown)
    # The main file's own folder becomes the root, so that it can import its siblings.
    root = PurePosixPath(main).parent
    inside = {
        PurePosixPath(other).relative_to(root).as_posix(): content
        for other, content in files.items()
        if PurePosixPath(other).is_relative_to(root)
    }
    return _assemble(PurePosixPath(main).name, inside)


def _main_of(files: dict[str, bytes], assignment: LoadedAssignment, folder: str, shown: str | None) -> str:
    code = [name for name in files if name.lower().endswith((".py", ".ipynb"))]
    expected = (assignment.spec.entry.file, *assignment.stub_names, *assignment.notebook_names)
    stems = {Path(name).stem for name in expected}
    by_name = [name for name in code if PurePosixPath(name).stem in stems]
    for candidates in (by_name, code, _defining(files, code, assignment.spec.entry.names)):
        if len(candidates) == 1:
            return candidates[0]
        worked_on = [name for name in candidates if not _is_stub(name, files[name])]
        if candidates is by_name and len(worked_on) == 1:
            return worked_on[0]
    if not code:
        raise UsageError(text("usage.folder_without_code", folder=folder, file=assignment.spec.entry.file))
    several = by_name or code
    key = "usage.several_packed_hint" if shown is None else "usage.several_hint"
    file = several[0] if shown is None else quoted(Path(shown, several[0]))
    raise UsageError(text("usage.several", files=", ".join(several)), hint=text(key, id=assignment.id, file=file))


def _defining(files: dict[str, bytes], code: list[str], names: tuple[str, ...]) -> list[str]:
    """Return the files that define most of the names that the assignment asks for."""
    counts = {
        file: sum(
            bool(re.search(_DEFINITION.format(name=re.escape(name)), decode(files[file]), re.MULTILINE))
            for name in names
        )
        for file in code
    }
    most = max(counts.values(), default=0)
    return [file for file, count in counts.items() if count == most > 0]


def _near_file(path: Path, assignment: LoadedAssignment) -> str:
    if path.parent.is_dir() and (found := _candidates_in(path.parent, assignment)):
        return text("hint.did_you_mean", name=found[0].name)
    return text("usage.no_file_hint", file=assignment.spec.entry.file)


def _shown(path: Path, cwd: Path | None) -> str:
    return str(path.relative_to(cwd)) if cwd and path.is_relative_to(cwd) else str(path)
