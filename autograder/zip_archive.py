"""A .zip handed in, read within caps, in memory: nothing is written, and nothing in it is believed.

# SECURITY: what an archive says of itself (sizes, names, counts) is the sender's word. Bytes are counted as they come
# out; names may not lead anywhere else; links and what is not a plain file are left out.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

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


class TooLarge(Exception):
    """The archive holds more than may be handed in."""


def read_zip(
    path: Path,
    *,
    max_files: int,
    max_file_bytes: int,
    max_total_bytes: int,
    skipped: Callable[[tuple[str, ...]], bool] = lambda _parts: False,
) -> dict[str, bytes]:
    """Return the archive's plain files by their names.

    Args:
        path: the archive.
        max_files: that may be in it.
        max_file_bytes: of each, unpacked.
        max_total_bytes: of all.
        skipped: whether a path, by its parts, is left out: neither read nor counted.

    Raises:
        TooLarge: more files or bytes than that.
        UsageError: no readable archive, encrypted, or with names that lead elsewhere.
    """
    files: dict[str, bytes] = {}
    total = 0
    try:
        _refuse_large_directory(path)
        with zipfile.ZipFile(path) as archive:
            for entry in _plain_files(archive, skipped):
                if len(files) >= max_files:
                    raise TooLarge
                name = _safe_name(entry, path)
                with archive.open(entry) as stream:
                    files[name] = _read(stream, min(max_file_bytes, max_total_bytes - total))
                total += len(files[name])
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UsageError(
            text("usage.bad_zip", file=path.name, problem=type(error).__name__), hint=text("usage.bad_zip_hint")
        ) from None
    for name in files:
        if any(str(parent) in files for parent in PurePosixPath(name).parents):
            raise _unsafe(path, name)
    return files


def _refuse_large_directory(path: Path) -> None:
    """SECURITY: zipfile reads the whole list of entries when it opens an archive, in ten times as much memory.

    Raises:
        TooLarge: the list is larger than that of any homework.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END_BYTES))
        end = file.read(_END_BYTES)
    at = end.rfind(_END_MARK)
    # Where there is no end to be found, zipfile says that it is no archive. A second record, for archives beyond 4 GB,
    # would be believed before this one.
    is_huge = end[max(at - _HUGE_BYTES, 0) : at].startswith(_HUGE_MARK)
    if at >= 0 and (is_huge or int.from_bytes(end[at + 12 : at + 16], "little") > _MAX_DIRECTORY_BYTES):
        raise TooLarge


def _plain_files(archive: zipfile.ZipFile, skipped: Callable[[tuple[str, ...]], bool]) -> Iterator[zipfile.ZipInfo]:
    for entry in archive.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the archive is Windows'
        if not entry.is_dir() and kind in {0, stat.S_IFREG} and not skipped(_path(entry).parts):
            if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
                raise NotImplementedError
            yield entry


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Return the entry's path as it was meant, wherever it leads."""
    name = entry.filename
    if not entry.flag_bits & _UTF8_NAMES:  # Windows' Explorer writes names in the system's own encoding: GBK in China
        raw = name.encode("cp437", errors="replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return PurePosixPath(name.replace("\\", "/"))


def _safe_name(entry: zipfile.ZipInfo, archive: Path) -> str:
    """Return the entry's path below the archive's root."""
    made = _path(entry)
    name, parts = str(made), made.parts
    too_long = any(len(part.encode(errors="replace")) > _MAX_PART_BYTES for part in parts)
    no_name = ":" in name or _CONTROL.search(name) or too_long  # an escape sequence repaints the reader's terminal
    if made.is_absolute() or ".." in parts or not 0 < len(parts) <= _MAX_DEPTH or no_name:
        raise _unsafe(archive, name)
    return made.as_posix()


def _unsafe(archive: Path, name: str) -> UsageError:
    return UsageError(text("usage.unsafe_zip", file=archive.name, name=name[:100]), hint=text("usage.bad_zip_hint"))


def _read(stream: IO[bytes], most: int) -> bytes:
    content = stream.read(most + 1)
    if len(content) > most:
        raise TooLarge
    return content
