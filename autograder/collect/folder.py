"""A folder, or one archive, with a file, a folder or an archive for each student; the number or name is in its name."""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from autograder.collect import reading
from autograder.collect.found import CLOCKS_DIFFER, Found, Refused, Repeatable, moment_of
from autograder.collect.layouts import Group, grouped
from autograder.collect.reader_process import MOST_ENTRIES
from autograder.collect.unpack import ARCHIVES, TARS, unpack
from autograder.errors import UsageError
from autograder.messages import joined, text
from autograder.submission import MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, is_skipped, too_large
from autograder.zip_archive import Caps, LargeZip, TooLarge, decoded_name, safe_name

_MOST_CLASS_BYTES = 32 << 30  # what 300 students may hand in, with room to spare
_SAMPLE_BYTES = 8  # of a file, that its format is told by


class _Files(Repeatable, ABC):
    """Files of many students, by their paths."""

    label: str
    zone: tzinfo = UTC
    """By whose clock times are that don't say."""
    now: datetime | None = None
    """What is dated later is said to be; None: nothing is, as its times don't count."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the paths of all plain files."""

    @abstractmethod
    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file, or raise TooLarge."""

    @abstractmethod
    def modified(self, name: str) -> datetime:
        """Return when a file was changed last."""

    def refused(self) -> dict[str, UsageError]:
        """Return what can't be taken, by its name."""
        return {}

    def __iter__(self) -> Iterator[Found | Refused]:
        """Yield what was handed in, one student after the other.

        Raises:
            UsageError: nothing of it can be read.
        """
        try:
            yield from self._each()
        finally:
            self.close()

    def close(self) -> None:
        """Close what is open."""

    def _each(self) -> Iterator[Found | Refused]:
        groups = grouped(self.names(), self._told)
        for name, error in self.refused().items():
            yield Refused(name[:200], name[:200], joined(error.message, error.hint), (name[:200],))
        for group in groups:
            notes: list[str] = list(group.notes)
            try:
                files = unpack(self._read_all(group), group.name, notes.append)
            except UsageError as error:
                problem = joined(error.message, error.hint)
                yield Refused(group.key, group.name, problem, group.texts, group.aliases)
                continue
            received = self._received(group)
            if self.now is not None and received - self.now > CLOCKS_DIFFER:
                notes.append(text("collect.future", said=f"{received.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"))
            yield Found(
                key=group.key,
                name=group.name,
                received=received,
                files=files,
                texts=group.texts,
                aliases=group.aliases,
                notes=tuple(notes),
                submitters=group.submitters,
                group=group.team,
            )

    def _received(self, group: Group) -> datetime:
        said = group.received
        if said is None:
            return max(self.modified(name) for name in group.inside.values())
        return said if said.tzinfo else said.replace(tzinfo=self.zone)

    def _told(self, name: str, most_bytes: int) -> bytes:
        try:
            return self.read(name, most_bytes)
        except TooLarge:
            problem = text("archives.metadata_too_large", mb=most_bytes >> 20)
            raise UsageError(text("archives.bad_metadata", file=name, problem=problem)) from None

    def _read_all(self, group: Group) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        left = MAX_TOTAL_BYTES
        try:
            for inside, name in group.inside.items():
                files[inside] = self.read(name, min(MAX_FILE_BYTES, left))
                left -= len(files[inside])
        except TooLarge:
            raise too_large(group.name) from None
        except OSError as error:
            raise UsageError(text("collect.unreadable", name=group.name, problem=error.strerror or error)) from None
        if len(files) > MAX_FILES:
            raise too_large(group.name)
        return files


class FolderSource(_Files):
    """A folder.

    Args:
        folder: with what was handed in.
        zone: by whose clock an LMS's times are, where it gave any.
    """

    def __init__(self, folder: Path, zone: tzinfo = UTC) -> None:
        self._folder, self.zone = folder, zone
        self._paths: dict[str, Path] = {}
        self.label = f"folder:{folder.name}"

    def names(self) -> list[str]:
        """Return the paths of all plain files. A link could lead anywhere."""
        found = (path for path in sorted(self._folder.rglob("*")) if path.is_file() and not path.is_symlink())
        for path in found:
            relative = path.relative_to(self._folder)
            if not is_skipped(relative.parts):
                # Unpacked on Linux, a GBK name has bytes that are no text, and can't be recorded.
                self._paths[decoded_name(os.fsencode(relative.as_posix()))] = path
        return list(self._paths)

    def refused(self) -> dict[str, UsageError]:
        """Return the folders without a file: whoever handed in one believes to have handed in."""
        used = {name.partition("/")[0] for name in self._paths}
        folders = (path for path in sorted(self._folder.iterdir()) if path.is_dir() and not path.is_symlink())
        names = (decoded_name(os.fsencode(path.name)) for path in folders if not is_skipped((path.name,)))
        return {name: UsageError(text("collect.empty_folder", name=name)) for name in names if name not in used}

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file."""
        with self._paths[name].open("rb") as file:
            content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise TooLarge
        return content

    def modified(self, name: str) -> datetime:
        """Return when a file was changed last."""
        return moment_of(self._paths[name].stat().st_mtime)


class ZipSource(_Files):
    """One .zip with everybody's work, as LMSs give it.

    Args:
        path: a .zip.
        zone: by whose clock the times in it are; archives don't say.
    """

    def __init__(self, path: Path, zone: tzinfo) -> None:
        self._path, self.zone = path, zone
        self.label = f"zip:{path.name}"

    @cached_property
    def _archive(self) -> LargeZip:
        return LargeZip(self._path, is_skipped)

    def close(self) -> None:
        """Close the archive."""
        if "_archive" in vars(self):
            self._archive.close()

    def names(self) -> list[str]:
        """Return the paths of all plain files."""
        return self._archive.names

    def refused(self) -> dict[str, UsageError]:
        """Return what has a name that can't be taken."""
        return self._archive.unsafe

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file."""
        return self._archive.read(name, most_bytes)

    def modified(self, name: str) -> datetime:
        """Return when a file was changed last. What is no date (DOS has a month 0) is the beginning of that format."""
        year, month, day, hour, minute, second = self._archive.modified(name)
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=self.zone)
        except ValueError:
            return datetime(1980, 1, 1, tzinfo=self.zone)


class _Place(NamedTuple):
    """Where a file's bytes lie, once its archive has been unpacked."""

    start: int
    length: int
    """-1: there were too many of them to be kept."""
    modified: float


class UnpackedSource(_Files):
    """One .tar, .7z or .rar with everybody's work: it can only be read from the front, and is unpacked once.

    Its files lie one after the other in one file without a name: what they are called, nothing on the disk is.

    Args:
        path: the archive.
        zone: by whose clock the times in it are, where it doesn't say.
    """

    def __init__(self, path: Path, zone: tzinfo) -> None:
        self._path, self.zone = path, zone
        self._places: dict[str, _Place] = {}
        self._unsafe: dict[str, UsageError] = {}
        self._open = ExitStack()
        self.label = f"archive:{path.name}"

    def close(self) -> None:
        """Forget what was unpacked."""
        self._open.close()

    def names(self) -> list[str]:
        """Return the paths of all plain files."""
        caps = Caps(MOST_ENTRIES, MAX_FILE_BYTES, _MOST_CLASS_BYTES)
        try:
            self._unpacked = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            with self._path.open("rb") as file:
                kind = reading.kind_of(self._path.name, file.read(_SAMPLE_BYTES))
                file.seek(0)
                for entry in reading.entries(file, kind, self._path.name, caps, str(self.zone)):
                    self._take(entry)
        except TooLarge:
            raise UsageError(text("archives.class_too_large", file=self._path.name)) from None
        except OSError as error:
            problem = error.strerror or error
            hint = text("archives.disk_hint")
            raise UsageError(text("archives.disk", file=self._path.name, problem=problem), hint=hint) from None
        return list(self._places)

    def _take(self, entry: reading.Entry) -> None:
        made = PurePosixPath(entry.name.replace("\\", "/"))
        if is_skipped(made.parts) or not entry.is_plain:
            return
        try:
            name = safe_name(made, self._path)
        except UsageError as error:
            self._unsafe[str(made)] = error
            return
        length = -1 if entry.content is None else len(entry.content)
        self._places[name] = _Place(self._unpacked.tell(), length, entry.modified)
        self._unpacked.write(entry.content or b"")

    def refused(self) -> dict[str, UsageError]:
        """Return what has a name that can't be taken."""
        return self._unsafe

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file."""
        place = self._places[name]
        if not 0 <= place.length <= most_bytes:
            raise TooLarge
        self._unpacked.seek(place.start)
        return self._unpacked.read(place.length)

    def modified(self, name: str) -> datetime:
        """Return when a file was changed last; as far as clocks go."""
        return moment_of(self._places[name].modified)


def open_source(path: Path, zone: tzinfo) -> _Files:
    """Return the source for what somebody named.

    Raises:
        UsageError: it is neither a folder nor an archive.
    """
    if path.is_dir():
        return FolderSource(path, zone)
    if not path.exists():
        raise UsageError(text("usage.no_file", file=path))
    if not path.is_file() or not path.name.lower().endswith(ARCHIVES):
        raise UsageError(text("collect.no_source", file=path), hint=text("collect.no_source_hint"))
    with path.open("rb") as file:
        kind = reading.kind_of(path.name, file.read(_SAMPLE_BYTES))
    if kind == "zip" or (kind == "tar" and not path.name.lower().endswith(TARS)):
        return ZipSource(path, zone)
    return UnpackedSource(path, zone)
