"""What is in an archive of any format but .zip, entry by entry: one submission's, or a whole class's.

A .tar, packed or not, is read here, by the standard library; a .7z or .rar by libarchive, in a process of its own.

SECURITY: caps on what comes out, counted as it comes out; names are looked at by whoever asked; links and devices are
told of and left out. Of the other process nothing is believed: it may be the archive's by now.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from autograder.collect.reader_process import (
    END,
    FILE,
    FRAME,
    LARGE,
    LEFT_OUT,
    MOST_ENTRIES,
    NO_LIBRARY,
    PROBLEM,
    Problem,
)
from autograder.errors import UsageError
from autograder.messages import text
from autograder.zip_archive import Caps, TooLarge, decoded_name

_BEGINNINGS = (
    (b"PK\3\4", "zip"),
    (b"PK\5\6", "zip"),
    (b"Rar!\x1a\7", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "tar.gz"),
    (b"BZh", "tar.bz2"),
    (b"\xfd7zXZ\0", "tar.xz"),
)
_BLOCK_BYTES = 1 << 16
_XZ_MEMORY_BYTES = 128 << 20  # its largest preset asks for 65 MB
_IN_MEMORY_BYTES = 16 << 20  # of a .tar that is unpacked; more is put into a file without a name
_TAR_ROOM = 1.1  # headers and padding of what may come out
_MOST_NAME_BYTES = 1 << 16
_RAR_5, _RAR_END = b"Rar!\x1a\7\1\0", b"\3\5"  # a header of three bytes, of which the first says that it is the end
_RAR_ENCRYPTED = b"\4"  # the kind of the first header, after its checksum and its length
_RAR_TAIL_BYTES = 4096  # mail programs and upload forms add a few bytes
_LEAST_S, _S_FOR_EACH_MB = 30, 1
_DAMAGES = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError, ArithmeticError, LookupError,
            RecursionError, gzip.BadGzipFile)  # fmt: skip


class Entry(NamedTuple):
    """A file in an archive, or what is left out of it."""

    name: str
    """As it stands there, wherever it leads."""
    modified: float
    content: bytes | None
    """None: there are more bytes than a file may have."""
    is_plain: bool = True
    """Not: a link or a device."""


def kind_of(name: str, beginning: bytes) -> str:
    """Return an archive's format: by its first bytes; what they don't tell (a .tar), by its name.

    People call a .rar .zip, and the other way round.
    """
    named = name.lower()
    for mark, kind in _BEGINNINGS:
        if beginning.startswith(mark):
            return kind
    return next((kind for kind in ("zip", "rar", "7z") if named.endswith(f".{kind}")), "tar")


def entries(file: IO[bytes], kind: str, name: str, caps: Caps, zone: str = "UTC") -> Iterator[Entry]:
    """Yield an archive's entries, in its order.

    Args:
        file: the archive, at its beginning; for a .7z or .rar one that has a descriptor.
        kind: as of `kind_of`; not a .zip.
        name: what it is called in messages.
        caps: what may come out of it.
        zone: by whose clock a .rar of the older kind gives times.

    Raises:
        TooLarge: more files or bytes than that.
        UsageError: it can't be read.
    """
    found = _by_library(file, kind, name, caps, zone) if kind in {"7z", "rar"} else _of_tar(file, kind, name, caps)
    count = 0
    for number, entry in enumerate(found):
        count += entry.is_plain
        if number >= MOST_ENTRIES or count > caps.files:
            raise TooLarge
        yield entry


# --- .tar -------------------------------------------------------------------------------------------------------------


def _of_tar(file: IO[bytes], kind: str, name: str, caps: Caps) -> Iterator[Entry]:
    try:
        with _expanded(file, kind, int(caps.total_bytes * _TAR_ROOM)) as plain, tarfile.open(fileobj=plain) as archive:
            total = 0
            for header in archive:
                said = header.name.encode(errors="surrogateescape")
                if header.isdir():
                    continue
                if not header.isreg():
                    yield Entry(decoded_name(said), 0, None, is_plain=False)
                    continue
                # SECURITY: a file with holes has any size, and no bytes.
                stream = None if header.size > caps.file_bytes else archive.extractfile(header)
                content = stream.read() if stream else None
                total += len(content or b"")
                if total > caps.total_bytes:
                    raise TooLarge
                yield Entry(decoded_name(said), header.mtime, content)
    except _DAMAGES:
        raise _damaged(name) from None


@contextmanager
def _expanded(file: IO[bytes], kind: str, most_bytes: int) -> Iterator[IO[bytes]]:
    """Give a .tar as it was before it was packed.

    SECURITY: once and from the front. tarfile would unpack it anew each time that it goes back, and has no bound.
    """
    if kind == "tar":
        yield file
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as plain:
        for block in _unpacked(file, kind):
            plain.write(block)
            if plain.tell() > most_bytes:
                raise TooLarge
        plain.seek(0)
        yield plain


def _unpacked(file: IO[bytes], kind: str) -> Iterator[bytes]:
    if kind == "tar.xz":
        yield from _unpacked_xz(file)
        return
    stream = gzip.GzipFile(fileobj=file) if kind == "tar.gz" else bz2.BZ2File(file)
    while block := stream.read(_BLOCK_BYTES):
        yield block


def _unpacked_xz(file: IO[bytes]) -> Iterator[bytes]:
    """As LZMAFile does, but within a bound on memory: a file of a hundred bytes can ask for 4 GB."""
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
    while not unpacker.eof:
        packed = file.read(_BLOCK_BYTES) if unpacker.needs_input else b""
        if unpacker.needs_input and not packed:
            raise EOFError
        yield unpacker.decompress(packed, _BLOCK_BYTES)


# --- .7z and .rar -----------------------------------------------------------------------------------------------------


def _by_library(file: IO[bytes], kind: str, name: str, caps: Caps, zone: str) -> Iterator[Entry]:
    size = file.seek(0, os.SEEK_END)
    if kind == "rar":
        _require_end_of_rar(file, name)
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # and not file.seek, which may only move in its buffer
    seconds = _LEAST_S + (size >> 20) * _S_FOR_EACH_MB
    with _reader(file, kind, caps, seconds, zone) as process:
        try:
            yield from _told(process, caps, name)
        except EOFError:
            raise _ended(process, name) from None


def _require_end_of_rar(file: IO[bytes], name: str) -> None:
    """Raise where a .rar of version 5 is cut off, or goes on in another file: libarchive takes both for its end."""
    file.seek(0)
    head = file.read(len(_RAR_5) + 6)
    if not head.startswith(_RAR_5) or head[-1:] == _RAR_ENCRYPTED:  # then it has no end that could be read
        return
    file.seek(max(len(_RAR_5), file.seek(0, os.SEEK_END) - _RAR_TAIL_BYTES))
    tail = file.read()
    at = tail.rfind(_RAR_END)
    while at >= 0:
        header = tail[at : at + 4]
        if tail[max(at - 4, 0) : at] == zlib.crc32(header).to_bytes(4, "little"):
            if header[-1] & 1:
                raise volume(name)
            return
        at = tail.rfind(_RAR_END, 0, at)
    raise _damaged(name)


@contextmanager
def _reader(file: IO[bytes], kind: str, caps: Caps, seconds: int, zone: str) -> Iterator[subprocess.Popen[bytes]]:
    numbers = (caps.file_bytes, caps.total_bytes, seconds)
    # -P: what lies in the working directory is not imported. Of this process's environment nothing goes along.
    command = [sys.executable, "-P", "-m", "autograder.collect.reader_process", kind, *map(str, numbers)]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {"PYTHONPATH": path, "LC_ALL": "C.UTF-8", "TZ": zone, "PATH": os.defpath}
    if "LIBARCHIVE" in os.environ:  # where libarchive-c looks for the library first
        environment["LIBARCHIVE"] = os.environ["LIBARCHIVE"]
    process = subprocess.Popen(
        command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, close_fds=True
    )
    # Twice the time of the CPU: it may have to wait for one.
    timer = threading.Timer(2 * seconds, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _told(process: subprocess.Popen[bytes], caps: Caps, name: str) -> Iterator[Entry]:
    """Yield what the other process says. SECURITY: lengths are looked at before anything of that length is read."""
    left = caps.total_bytes
    while True:
        kind, name_bytes, modified, content_bytes = FRAME.unpack(_read(process, FRAME.size))
        if name_bytes > _MOST_NAME_BYTES or content_bytes > min(caps.file_bytes, left):
            raise TooLarge
        said, content = _read(process, name_bytes), _read(process, content_bytes)
        left -= len(content)
        if kind == FILE:
            yield Entry(decoded_name(said), modified, content)
        elif kind == LARGE:
            yield Entry(decoded_name(said), modified, None)
        elif kind == LEFT_OUT:
            yield Entry(decoded_name(said), modified, None, is_plain=False)
        elif kind == PROBLEM:
            raise _error(said, name)
        elif kind == END:
            return
        else:
            raise _damaged(name)


def _read(process: subprocess.Popen[bytes], count: int) -> bytes:
    content = process.stdout.read(count) if process.stdout else b""
    if len(content) < count:
        raise EOFError
    return content


def _error(said: bytes, name: str) -> UsageError | TooLarge:
    if said == Problem.MANY.value:
        return TooLarge()
    if said == Problem.ENCRYPTED.value:
        return UsageError(text("archives.encrypted", file=name), hint=text("archives.encrypted_hint"))
    if said == Problem.VOLUME.value:
        return volume(name)
    if said == Problem.MEMORY.value:
        return UsageError(text("archives.memory", file=name), hint=text("archives.damaged_hint"))
    return _damaged(name)


def _ended(process: subprocess.Popen[bytes], name: str) -> UsageError:
    """Return why it ended in the middle of what it said."""
    code = process.wait()
    if code == NO_LIBRARY:
        return UsageError(text("archives.no_library", file=name), hint=text("archives.no_library_hint"))
    key = "archives.slow" if code in _TOO_SLOW else "archives.crashed"
    return UsageError(text(key, file=name), hint=text("archives.damaged_hint"))


_TOO_SLOW = (-9, -24)  # SIGKILL, by the timer or at the limit of CPU time, and SIGXCPU


def volume(name: str) -> UsageError:
    """Return the error for a part of an archive."""
    return UsageError(text("archives.volume", file=name), hint=text("archives.volume_hint"))


def _damaged(name: str) -> UsageError:
    return UsageError(text("archives.damaged", file=Path(name).name), hint=text("archives.damaged_hint"))
