"""A folder, or one archive, with a file, a folder or an archive for each student; the number or name is in its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path

from autograder.collect.found import Found, Refused
from autograder.collect.layouts import Group, grouped
from autograder.collect.unpack import unpack
from autograder.errors import UsageError
from autograder.messages import text
from autograder.submission import MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, is_skipped, too_large
from autograder.zip_archive import LargeZip, TooLarge


class _Files(ABC):
    """Files of many students, by their paths."""

    label: str

    @abstractmethod
    def names(self) -> list[str]:
        """Return the paths of all plain files."""

    @abstractmethod
    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file, or raise TooLarge."""

    @abstractmethod
    def modified(self, name: str) -> datetime:
        """Return when a file was changed last."""

    def __iter__(self) -> Iterator[Found | Refused]:
        """Yield what was handed in, one student after the other.

        Raises:
            UsageError: nothing of it can be read.
        """
        try:
            yield from self._each()
        finally:
            self.close()

    def close(self) -> None:  # noqa: B027 - a folder has nothing to close
        """Close what is open."""

    def _each(self) -> Iterator[Found | Refused]:
        for group in grouped(self.names()):
            try:
                files = unpack(self._read_all(group), group.name)
            except UsageError as error:
                yield Refused(group.key, group.name, " ".join(part for part in (error.message, error.hint) if part))
                continue
            received = max(self.modified(name) for name in group.inside.values())
            yield Found(group.key, group.name, received, files, group.texts, group.aliases)

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
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.label = f"folder:{folder.name}"

    def names(self) -> list[str]:
        """Return the paths of all plain files. A link could lead anywhere."""
        found = (path for path in sorted(self._folder.rglob("*")) if path.is_file() and not path.is_symlink())
        relative = (path.relative_to(self._folder) for path in found)
        return [path.as_posix() for path in relative if not is_skipped(path.parts)]

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file."""
        with (self._folder / name).open("rb") as file:
            content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise TooLarge
        return content

    def modified(self, name: str) -> datetime:
        """Return when a file was changed last."""
        return datetime.fromtimestamp((self._folder / name).stat().st_mtime, UTC)


class ZipSource(_Files):
    """One archive with everybody's work, as LMSs give it.

    Args:
        path: a .zip.
        zone: by whose clock the times in it are; archives don't say.
    """

    def __init__(self, path: Path, zone: tzinfo) -> None:
        self._path, self._zone = path, zone
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

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file."""
        return self._archive.read(name, most_bytes)

    def modified(self, name: str) -> datetime:
        """Return when a file was changed last. What is no date (DOS has a month 0) is the beginning of that format."""
        year, month, day, hour, minute, second = self._archive.modified(name)
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=self._zone)
        except ValueError:
            return datetime(1980, 1, 1, tzinfo=self._zone)


def open_source(path: Path, zone: tzinfo) -> FolderSource | ZipSource:
    """Return the source for what somebody named.

    Raises:
        UsageError: it is neither a folder nor a .zip.
    """
    if path.is_dir():
        return FolderSource(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        return ZipSource(path, zone)
    if not path.exists():
        raise UsageError(text("usage.no_file", file=path))
    raise UsageError(text("collect.no_source", file=path), hint=text("collect.no_source_hint"))
