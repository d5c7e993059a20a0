"""One submission's files, out of whatever they came in: as they are, in an archive, in an archive in an archive.

Opened by what they are called: a saved model (.keras, .npz, .pt) is a .zip inside, too, and stays whole. Which format
an archive has, its bytes say.

SECURITY: one bound on all that comes out, however deep it lies; no link, no device, no name that leads elsewhere.
Nothing is written.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from autograder.collect import reading
from autograder.collect.reader_process import MOST_ENTRIES
from autograder.errors import UsageError
from autograder.messages import text
from autograder.submission import MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, is_skipped, too_large
from autograder.zip_archive import Caps, Note, TooLarge, read_zip, safe_name, say_nothing

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVES = (".zip", *TARS, ".7z", ".rar")
_MOST_NESTED = 3
_MOST_OPENED = 50  # archives in one submission; each .7z is a process
_VOLUME = re.compile(r"\.(?:(?:7z|zip|rar|tar(?:\.\w+)?)\.\d{3}|[zr]\d\d)$|\.part(?!0*1\.)\d+\.rar$", re.IGNORECASE)


def is_archive(name: str) -> bool:
    """Whether a file is opened, by its name."""
    return name.lower().endswith(ARCHIVES)


def unpack(files: Mapping[str, bytes], shown: str, note: Note = say_nothing) -> dict[str, bytes]:
    """Return the files that a student means by those handed in: archives among them are opened.

    Args:
        files: by their names, as they came.
        shown: what all of it is called in messages.
        note: told what was cleaned.

    Raises:
        UsageError: an archive can't be read, there is nothing in it, or too much.
    """
    try:
        room = _Room(note)
        for content in files.values():
            room.take(content)
        opened = room.flattened(files, 0)
    except TooLarge:
        raise too_large(shown) from None
    if not opened:
        raise UsageError(text("collect.nothing", name=shown))
    for name in opened:
        if any(str(parent) in opened for parent in PurePosixPath(name).parents):  # no disk holds both
            raise UsageError(text("usage.unsafe_zip", file=shown, name=name[:100]), hint=text("usage.bad_zip_hint"))
    return opened


class _Room:
    """What may still come out of all archives of a submission together.

    Args:
        note: told what was cleaned.
    """

    def __init__(self, note: Note) -> None:
        self._files, self._bytes, self._archives = MAX_FILES, MAX_TOTAL_BYTES, _MOST_OPENED
        # Of all of them together: a hundred thousand empty ones take seconds to look at, and half a megabyte to send.
        self._entries = MOST_ENTRIES
        self._note = note

    def take(self, content: bytes) -> None:
        """Count a file.

        Raises:
            TooLarge: there is no room for it.
        """
        self._files -= 1
        self._bytes -= len(content)
        if self._files < 0 or self._bytes < 0:
            raise TooLarge

    def flattened(self, files: Mapping[str, bytes], depth: int) -> dict[str, bytes]:
        """Return files that are counted already, with what is in the archives among them in their place."""
        made: dict[str, bytes] = {}
        for name, content in files.items():
            if _VOLUME.search(name):
                raise reading.volume(PurePosixPath(name).name)
            if not is_archive(name):
                made[name] = content
                continue
            if depth == _MOST_NESTED:
                raise UsageError(
                    text("archives.too_deep", file=PurePosixPath(name).name), hint=text("archives.volume_hint")
                )
            inner = self.flattened(self._opened(name, content), depth + 1)
            # The only thing there is is the submission; beside others, each archive is a folder.
            folder = "" if len(files) == 1 else f"{name}.d/"
            made |= {folder + inner_name: inner_content for inner_name, inner_content in inner.items()}
        return made

    def _opened(self, name: str, content: bytes) -> dict[str, bytes]:
        self._archives -= 1
        if self._archives < 0:
            raise TooLarge
        # What it holds takes its place.
        self._files += 1
        self._bytes += len(content)
        path = Path(PurePosixPath(name).name)
        kind = reading.kind_of(name, content)
        if not name.lower().endswith(_names_of(kind)):
            self._note(text("archives.really", file=path.name, kind=kind))
        caps = Caps(self._files, MAX_FILE_BYTES, self._bytes)
        if kind == "zip":
            files = read_zip(path, io.BytesIO(content), caps=caps, skipped=is_skipped, note=self._note)
        else:
            files = self._read(path, kind, content, caps)
        for one in files.values():
            self.take(one)
        return files

    def _read(self, path: Path, kind: str, content: bytes, caps: Caps) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        left_out = 0
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            # More entries than files: many are passed over.
            for entry in reading.entries(file, kind, path.name, caps._replace(files=MOST_ENTRIES)):
                self._entries -= 1
                if self._entries < 0:
                    raise TooLarge
                made = PurePosixPath(entry.name.replace("\\", "/"))
                if is_skipped(made.parts):
                    continue
                if not entry.is_plain:
                    left_out += 1
                    continue
                if entry.content is None or len(files) >= caps.files:
                    raise TooLarge
                name = safe_name(made, path)
                if name in files:
                    self._note(text("archives.twice", file=path.name, name=name))
                files[name] = entry.content
        if left_out:
            self._note(text("archives.left_out", file=path.name, count=left_out))
        return files


def _names_of(kind: str) -> tuple[str, ...]:
    """Return how files of a format are called."""
    return TARS if kind.startswith("tar") else (f".{kind}",)
