"""A folder that its owner may change while it is read: every file by a descriptor, never by a path looked up twice.

SECURITY: whoever collects can read more than the student, often everything. A link in the place of a file or folder
would hand in a stranger's work, or the machine's secrets; so each step goes from an open folder to a name in it, and
refuses links. What is swapped between the look and the opening meets the same refusal, and what was opened is looked at
again. A pipe would keep its reader waiting for ever, a device can do anything: only plain files are opened. A hard link
can't be told from a file but by its owner.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.collect.found import moment_of
from autograder.errors import UsageError
from autograder.messages import text
from autograder.submission import MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, is_skipped, too_large
from autograder.zip_archive import decoded_name, safe_name

# Windows has none of these; opening asks for them there first, and fails with a sentence.
_FOLDER = sum(getattr(os, name, 0) for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"))
_FILE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"))
_LONG_AGO = moment_of(0)
_MOST_ENTRIES = 20_000
_MOST_DEPTH = 32
_A_LINK = {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}  # what O_NOFOLLOW answers on Linux, and where it is a folder


class NoFolderError(UsageError):
    """There is no such folder."""


@dataclass
class Tree:
    """What was read of a folder."""

    files: dict[str, bytes] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    """By the user's number the first file of each owner; the folder itself is the empty name."""
    linked: dict[str, int] = field(default_factory=dict)
    """Files that other names lead to as well, with their owner's number."""
    modified: datetime = _LONG_AGO
    """When the newest of the files was changed last, as its owner can set it."""
    changed: datetime = _LONG_AGO
    """When the file system last saw a change, which its owner can't set."""
    links: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """Return what was left out, in words."""
        kinds = (
            (self.links, "sources.links_left_out"),
            (self.special, "sources.special_left_out"),
            (self.unreadable, "sources.unreadable_left_out"),
        )
        return tuple(text(key, files=some(names)) for names, key in kinds if names)


_NAMED = 3


def some(names: list[str]) -> str:
    """Return a few of the names."""
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


@contextmanager
def opened(trusted: Path, *parts: str) -> Iterator[int]:
    """Open a folder, and give its descriptor.

    Args:
        trusted: a folder that no student can exchange: links in it are followed.
        parts: the way from there, in which no link is.

    Raises:
        UsageError: it can't be opened, in words.
    """
    if not _FOLDER or os.open not in os.supports_dir_fd:
        raise UsageError(text("sources.not_here"))
    descriptors: list[int] = []
    way = trusted
    try:
        try:
            descriptors.append(os.open(trusted, _FOLDER & ~os.O_NOFOLLOW))
            for part in parts:
                way /= part
                descriptors.append(os.open(part, _FOLDER, dir_fd=descriptors[-1]))
        except OSError as error:
            raise _problem(way, error) from None
        yield descriptors[-1]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _problem(way: Path, error: OSError) -> UsageError:
    if error.errno == errno.ENOENT:
        return NoFolderError(text("sources.no_folder"))
    if error.errno in _A_LINK:
        return UsageError(text("sources.a_link", file=way))
    return UsageError(text("sources.unreadable", file=way, problem=error.strerror or error))


def read_tree(descriptor: int, name: str) -> Tree:
    """Read all plain files of an open folder.

    Args:
        descriptor: of the folder.
        name: of it, for messages.

    Raises:
        UsageError: there is more in it than may be handed in.
    """
    reading = _Reading(name)
    reading.own(os.fstat(descriptor), "")
    reading.folder(descriptor, PurePosixPath(), 0)
    return reading.tree


class _Reading:
    def __init__(self, name: str) -> None:
        self.tree = Tree()
        self._name, self._entries, self._bytes = name, 0, 0

    def own(self, about: os.stat_result, name: str) -> None:
        self.tree.owners.setdefault(about.st_uid, name)
        self.tree.changed = max(self.tree.changed, moment_of(about.st_ctime))

    def folder(self, descriptor: int, way: PurePosixPath, depth: int) -> None:
        for raw in self._names_in(descriptor):
            path = way / decoded_name(raw)
            if is_skipped(path.parts):
                continue
            try:
                about = os.stat(raw, dir_fd=descriptor, follow_symlinks=False)
            except OSError as error:  # it is gone by now
                self._left_out(path, error)
                continue
            if stat.S_ISLNK(about.st_mode):
                self.tree.links.append(str(path))
            elif stat.S_ISDIR(about.st_mode):
                self._inner(descriptor, raw, path, depth)
            elif stat.S_ISREG(about.st_mode):
                self._file(descriptor, raw, path)
            else:
                self.tree.special.append(str(path))

    def _names_in(self, descriptor: int) -> list[bytes]:
        names: list[bytes] = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                self._entries += 1
                if self._entries > _MOST_ENTRIES:
                    raise UsageError(text("sources.too_many"))
                names.append(os.fsencode(entry.name))
        return sorted(names)

    def _inner(self, descriptor: int, raw: bytes, path: PurePosixPath, depth: int) -> None:
        if depth == _MOST_DEPTH:
            raise UsageError(text("sources.too_many"))
        try:
            inner = os.open(raw, os.O_RDONLY | _FOLDER, dir_fd=descriptor)
        except OSError as error:
            self._left_out(path, error)
            return
        try:
            self.own(os.fstat(inner), str(path))
            self.folder(inner, path, depth + 1)
        finally:
            os.close(inner)

    def _file(self, descriptor: int, raw: bytes, path: PurePosixPath) -> None:
        try:
            opened_file = os.open(raw, os.O_RDONLY | _FILE, dir_fd=descriptor)
        except OSError as error:
            self._left_out(path, error)
            return
        with os.fdopen(opened_file, "rb") as file:
            about = os.fstat(file.fileno())  # what was opened, and not what was there a moment ago
            if not stat.S_ISREG(about.st_mode):
                self.tree.special.append(str(path))
                return
            name = safe_name(path, Path(self._name))
            self.own(about, name)
            if about.st_nlink > 1:
                self.tree.linked[name] = about.st_uid
            self.tree.modified = max(self.tree.modified, moment_of(about.st_mtime))
            # Counted as it is read: its size may be another by then.
            try:
                content = file.read(min(MAX_FILE_BYTES, MAX_TOTAL_BYTES - self._bytes) + 1)
            except OSError as error:
                self._left_out(path, error)
                return
        self._bytes += len(content)
        if len(content) > MAX_FILE_BYTES or self._bytes > MAX_TOTAL_BYTES or len(self.tree.files) >= MAX_FILES:
            raise too_large(self._name)
        self.tree.files[name] = content

    def _left_out(self, path: PurePosixPath, error: OSError) -> None:
        (self.tree.links if error.errno in _A_LINK else self.tree.unreadable).append(str(path))
