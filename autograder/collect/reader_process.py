"""The process that reads one .7z or .rar with libarchive: the archive is its stdin, and frames go to its stdout.

    frame = kind (1 byte) · length of the name (4) · modified, seconds since 1970 (8) · length of the content (8) · both

SECURITY: it closes itself before it looks at the first byte (`autograder.collect.closing`). Whoever reads the frames
believes nothing in them.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

FRAME = struct.Struct(">cIqQ")
FILE, LARGE, LEFT_OUT, PROBLEM, END = b"F", b"L", b"O", b"X", b"E"
MOST_ENTRIES = 100_000
NO_LIBRARY = 3  # what it ends with where there is none

_BLOCK_BYTES = 1 << 16
_REGULAR, _FOLDER = 0o100000, 0o040000
_KIND_BITS = 0o170000


class Problem(Enum):
    """What is wrong with an archive, as far as the library says."""

    ENCRYPTED = b"encrypted"
    VOLUME = b"volume"
    MEMORY = b"memory"
    MANY = b"many"
    DAMAGED = b"damaged"


def main() -> None:
    """Read the archive.

    Arguments: seven or rar, how many bytes a file may have, and all of them, and the seconds of CPU time.
    """
    kind, most_file, most_bytes, cpu_s = sys.argv[1], *(int(number) for number in sys.argv[2:])
    try:
        from libarchive import ffi  # finds and loads the library

        from autograder.collect.closing import close
    except (ImportError, TypeError, OSError, AttributeError):  # TypeError: libarchive-c, where there is no libarchive
        raise SystemExit(NO_LIBRARY) from None
    from libarchive.exception import ArchiveError
    from libarchive.read import ArchiveRead, new_archive_read

    ffi.ffi("entry_is_encrypted", [ffi.c_archive_entry_p], ffi.c_int)
    time.localtime()  # reads the zone's file
    with new_archive_read("7zip" if kind == "7z" else "rar", "none") as pointer:
        if kind == "rar":
            ffi.get_read_format_function("rar5")(pointer)
        close(cpu_s)
        try:
            ffi.read_open_fd(pointer, 0, _BLOCK_BYTES)
            for frame in _frames(ArchiveRead(pointer), most_file, most_bytes):
                _write(frame)
            _write(_frame(END))
        except MemoryError:
            _write(_frame(PROBLEM, Problem.MEMORY.value))
        except ArchiveError as error:
            _write(_frame(PROBLEM, _problem(str(error)).value))
    sys.stdout.flush()
    os._exit(0)


def _frames(archive: Iterable[Any], most_file: int, most_bytes: int) -> Iterator[bytes]:
    from libarchive import ffi

    left = most_bytes
    for number, entry in enumerate(archive):
        if number >= MOST_ENTRIES:
            yield _frame(PROBLEM, Problem.MANY.value)
            return
        if ffi.entry_is_encrypted(entry._entry_p):  # noqa: SLF001
            yield _frame(PROBLEM, Problem.ENCRYPTED.value)
            return
        name, kind = _name(entry.pathname), entry.filetype & _KIND_BITS
        if kind == _FOLDER:
            continue
        if kind != _REGULAR or entry.islnk:
            yield _frame(LEFT_OUT, name)
            continue
        content = bytearray()
        for block in entry.get_blocks(_BLOCK_BYTES):
            content += block
            if len(content) > min(most_file, left):
                break
        left -= len(content)
        if left < 0:
            yield _frame(PROBLEM, Problem.MANY.value)
            return
        modified = int(entry.mtime or 0)
        if len(content) > most_file:
            yield _frame(LARGE, name, b"", modified)
        else:
            yield _frame(FILE, name, bytes(content), modified)


def _name(said: str | bytes | None) -> bytes:
    return said.encode(errors="surrogateescape") if isinstance(said, str) else said or b""


def _problem(said: str) -> Problem:
    said = said.lower()
    if "encrypt" in said or "passphrase" in said or "password" in said:
        return Problem.ENCRYPTED
    if "volume" in said or "multi" in said:
        return Problem.VOLUME
    return Problem.MEMORY if "memory" in said or "allocate" in said else Problem.DAMAGED


def _frame(kind: bytes, name: bytes = b"", content: bytes = b"", modified: int = 0) -> bytes:
    return FRAME.pack(kind, len(name), modified, len(content)) + name + content


def _write(frame: bytes) -> None:
    sys.stdout.buffer.write(frame)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
