"""A .zip handed in, read within caps, in memory: nothing is written, and nothing in it is believed.

# SECURITY: what an archive says of itself (sizes, names, counts) is the sender's word. Bytes are counted as they come
# out; names may not lead anywhere else; links and what is not a plain file are left out.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from autograder.errors import UsageError
from autograder.messages import text

# Those that Windows, macOS and Info-ZIP write. LZMA and its like can ask for gigabytes to unpack a byte.
_METHODS = frozenset([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
_MAX_DEPTH = 32
_MAX_PART_BYTES = 240  # of one folder or file name; file systems end at 255
_ENCRYPTED = 0x1
_UTF8_NAMES = 0x800
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_END_MARK, _END_BYTES = b"PK\5\6", 22 + (1 << 16)  # of the record at the end, with its comment
_HUGE_MARK, _HUGE_BYTES = b"PK\6\7", 20
_MAX_DIRECTORY_BYTES = 4 << 20  # some 40,000 entries; a virtual environment handed in by mistake has 20,000

_MAX_LARGE_DIRECTORY_BYTES = 64 << 20


class Caps(NamedTuple):
    """What may come out of an archive."""

    files: int
    file_bytes: int
    total_bytes: int


class TooLarge(Exception):
    """The archive holds more than may be handed in."""


Note = Callable[[str], None]
"""Called with what was cleaned, in words."""


def say_nothing(_: str) -> None:
    """Note nothing."""


def read_zip(
    path: Path,
    content: IO[bytes] | None = None,
    *,
    caps: Caps,
    skipped: Callable[[tuple[str, ...]], bool] = lambda _parts: False,
    note: Note = say_nothing,
) -> dict[str, bytes]:
    """Return the archive's plain files by their names.

    Args:
        path: the archive.
        content: its bytes, where it is no file but lies in another archive.
        caps: what may come out of it.
        skipped: whether a path, by its parts, is left out: neither read nor counted.
        note: told what was cleaned.

    Raises:
        TooLarge: more files or bytes than that.
        UsageError: no readable archive, encrypted, or with names that lead elsewhere.
    """
    files: dict[str, bytes] = {}
    total = 0
    with _errors_told(path), content or path.open("rb") as file, _opened(file) as archive:
        for number, entry in enumerate(_plain_files(archive, skipped, path, note)):
            if number >= caps.files:
                raise TooLarge
            name = safe_name(_path(entry), path)
            if name in files:  # a program that unpacks it would write the one over the other
                note(text("archives.twice", file=path.name, name=name))
            _require_readable(entry)
            with archive.open(entry) as stream:
                files[name] = _read(stream, min(caps.file_bytes, caps.total_bytes - total))
            total += len(files[name])
    for name in files:
        if any(str(parent) in files for parent in PurePosixPath(name).parents):
            raise _unsafe(path, name)
    return files


class LargeZip:
    """An archive of many people's work, whose entries are read one by one: what is wrong with one is not all people's.

    Args:
        path: the archive.
        skipped: as of `read_zip`.

    Raises:
        UsageError: no readable archive.
    """

    def __init__(self, path: Path, skipped: Callable[[tuple[str, ...]], bool]) -> None:
        self._path = path
        with ExitStack() as failed, _errors_told(path):
            file = failed.enter_context(path.open("rb"))
            try:
                self._archive = failed.enter_context(_opened(file, _MAX_LARGE_DIRECTORY_BYTES))
            except TooLarge:
                raise UsageError(text("usage.bad_zip", file=path.name, problem="TooLarge")) from None
            self.unsafe: dict[str, UsageError] = {}
            """Names that lead elsewhere, or are none, and what to say of them."""
            self._entries: dict[str, zipfile.ZipInfo] = {}
            for entry in _plain_files(self._archive, skipped, path, say_nothing):
                try:
                    self._entries[safe_name(_path(entry), path)] = entry
                except UsageError as error:
                    self.unsafe[str(_path(entry))] = error
            self._open = failed.pop_all()

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    @property
    def names(self) -> list[str]:
        """The names of the plain files, in the archive's order."""
        return list(self._entries)

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file.

        Raises:
            TooLarge: it has more bytes than that.
            UsageError: it can't be read.
        """
        entry = self._entries[name]
        with _errors_told(Path(name)):
            _require_readable(entry)
            with self._archive.open(entry) as stream:
                return _read(stream, most_bytes)

    def modified(self, name: str) -> tuple[int, ...]:
        """Return when a file was changed last: year to second, by the clock of whoever made the archive."""
        return self._entries[name].date_time


@contextmanager
def _errors_told(path: Path) -> Iterator[None]:
    """Turn what a broken archive raises into an error for people."""
    try:
        yield
    except _Encrypted:
        hint = text("archives.encrypted_hint")
        raise UsageError(text("archives.encrypted", file=path.name), hint=hint) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UsageError(
            text("usage.bad_zip", file=path.name, problem=type(error).__name__), hint=text("usage.bad_zip_hint")
        ) from None


def _opened(file: IO[bytes], most_directory_bytes: int = _MAX_DIRECTORY_BYTES) -> zipfile.ZipFile:
    """Open an archive.

    SECURITY: zipfile reads the whole list of entries when it opens an archive, in ten times as much memory.

    Raises:
        TooLarge: the list is larger than that of any homework.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES))
    end = file.read(_END_BYTES)
    at = end.rfind(_END_MARK)
    # Where there is no end to be found, zipfile says that it is no archive. A second record, for archives beyond 4 GB,
    # would be believed before this one.
    is_huge = end[max(at - _HUGE_BYTES, 0) : at].startswith(_HUGE_MARK)
    if at >= 0 and (is_huge or int.from_bytes(end[at + 12 : at + 16], "little") > most_directory_bytes):
        raise TooLarge
    return zipfile.ZipFile(file)


def _plain_files(
    archive: zipfile.ZipFile, skipped: Callable[[tuple[str, ...]], bool], path: Path, note: Note
) -> Iterator[zipfile.ZipInfo]:
    left_out = 0
    for entry in archive.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the archive is Windows'
        if entry.is_dir() or skipped(_path(entry).parts):
            continue
        if kind in {0, stat.S_IFREG}:
            yield entry
        else:
            left_out += kind != stat.S_IFDIR
    if left_out:
        note(text("archives.left_out", file=path.name, count=left_out))


def _require_readable(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise _Encrypted
    if entry.compress_type not in _METHODS:
        raise NotImplementedError


class _Encrypted(Exception):
    """It takes a password to read it."""


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Return the entry's path as it was meant, wherever it leads."""
    name = entry.filename
    if not entry.flag_bits & _UTF8_NAMES:  # Windows' Explorer writes names in the system's own encoding: GBK in China
        name = decoded_name(name.encode("cp437", errors="replace"))
    return PurePosixPath(name.replace("\\", "/"))


def decoded_name(raw: bytes) -> str:
    """Return a name whose encoding nobody has noted. Those of Taiwan (Big5) are taken for GB18030, and look strange."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode(errors="replace")


def safe_name(made: PurePosixPath, archive: Path) -> str:
    """Return an entry's path below the archive's root, as it would be written everywhere.

    Accents are one character each (macOS writes two), and no folder's name ends in a dot or a space (Windows drops
    them). A name that only Windows reserves (aux.py) stays: the code beside it imports it by that name.

    Raises:
        UsageError: it leads elsewhere, or can't be a name.
    """
    name, parts = str(made), made.parts
    too_long = any(len(part.encode(errors="replace")) > _MAX_PART_BYTES for part in parts)
    no_name = ":" in name or _CONTROL.search(name) or too_long  # an escape sequence repaints the reader's terminal
    if made.is_absolute() or ".." in parts or not 0 < len(parts) <= _MAX_DEPTH or no_name:
        raise _unsafe(archive, name)
    plain = [unicodedata.normalize("NFC", part).rstrip(" .") for part in parts]
    if not all(plain):
        raise _unsafe(archive, name)
    return "/".join(plain)


def _unsafe(archive: Path, name: str) -> UsageError:
    return UsageError(text("usage.unsafe_zip", file=archive.name, name=name[:100]), hint=text("usage.bad_zip_hint"))


def _read(stream: IO[bytes], most: int) -> bytes:
    content = stream.read(most + 1)
    if len(content) > most:
        raise TooLarge
    return content
