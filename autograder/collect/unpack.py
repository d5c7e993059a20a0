"""One submission's files, out of whatever they came in: as they are, in an archive, in an archive in an archive.

Opened by what they are called: a saved model (.keras, .npz, .pt) is a .zip inside, too, and stays whole.

SECURITY: caps on what comes out, counted as it comes out; no link, no device, no name that leads elsewhere. Nothing is
written.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from autograder.errors import UsageError
from autograder.messages import text
from autograder.submission import MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, is_skipped, too_large
from autograder.zip_archive import Caps, TooLarge, read_zip, safe_name

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_UNREADABLE = (".7z", ".rar")
ARCHIVES = (".zip", *_TARS, *_UNREADABLE)
_MOST_NESTED = 3
_MOST_ENTRIES = 100_000  # looked at in a .tar, whatever they are


def is_archive(name: str) -> bool:
    """Whether a file is opened, by its name."""
    return name.lower().endswith(ARCHIVES)


def unpack(files: Mapping[str, bytes], shown: str) -> dict[str, bytes]:
    """Return the files that a student means by those handed in: archives among them are opened.

    Args:
        files: by their names, as they came.
        shown: what all of it is called in messages.

    Raises:
        UsageError: an archive can't be read, there is nothing in it, or too much.
    """
    try:
        opened = _flattened(files, 0)
    except TooLarge:
        raise too_large(shown) from None
    if not opened:
        raise UsageError(text("collect.nothing", name=shown))
    if len(opened) > MAX_FILES or sum(map(len, opened.values())) > MAX_TOTAL_BYTES:
        raise too_large(shown)
    return opened


def _flattened(files: Mapping[str, bytes], depth: int) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    for name, content in files.items():
        if not is_archive(name) or depth == _MOST_NESTED:
            made[name] = content
            continue
        inner = _flattened(_read_archive(name, content), depth + 1)
        # The only thing there is is the submission; beside others, each archive is a folder.
        folder = "" if len(files) == 1 else f"{name}.d/"
        made |= {folder + inner_name: inner_content for inner_name, inner_content in inner.items()}
    return made


def _read_archive(name: str, content: bytes) -> dict[str, bytes]:
    path = Path(PurePosixPath(name).name)
    if name.lower().endswith(_UNREADABLE):
        raise UsageError(text("collect.other_archive", name=path.name), hint=text("collect.other_archive_hint"))
    if name.lower().endswith(".zip"):
        return read_zip(
            path, io.BytesIO(content), caps=Caps(MAX_FILES, MAX_FILE_BYTES, MAX_TOTAL_BYTES), skipped=is_skipped
        )
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            return dict(_tar_files(archive, path))
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        raise UsageError(
            text("usage.bad_zip", file=path.name, problem=type(error).__name__), hint=text("usage.bad_zip_hint")
        ) from None


def _tar_files(archive: tarfile.TarFile, path: Path) -> Iterator[tuple[str, bytes]]:
    count = total = 0
    for number, entry in enumerate(archive):
        made = PurePosixPath(entry.name)
        # SECURITY: a seek over a compressed file unpacks it: what is passed over is paid for, too.
        total += entry.size
        if number >= _MOST_ENTRIES or total > MAX_TOTAL_BYTES:
            raise TooLarge
        if not entry.isreg() or is_skipped(made.parts):
            continue
        count += 1
        stream = archive.extractfile(entry)
        if count > MAX_FILES or entry.size > MAX_FILE_BYTES or stream is None:
            raise TooLarge
        yield safe_name(made, path), stream.read()
