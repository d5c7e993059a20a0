"""`grade pack`: a student's files as one archive that says whose they are, so that nobody has to guess.

2026017_张三_hw2.zip = the files + grade-manifest.json {format, assignment, id, name, sha256, autograder, packed_at}
"""

from __future__ import annotations

import contextlib
import json
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from autograder import __version__
from autograder.course import LoadedAssignment
from autograder.errors import UsageError
from autograder.messages import text
from autograder.submission import Submission, sha256_of

MANIFEST = "grade-manifest.json"
_MOST_NAMED = 5
_UNSAFE = re.compile(r"[^\w.-]+")


class Manifest(BaseModel):
    """What stands in the archive beside the files. What it says is the student's word."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1]
    assignment: str
    id: str
    name: str = ""
    sha256: str
    autograder: str = ""
    packed_at: datetime | None = None


def pack(submission: Submission, assignment_id: str, number: str, name: str, folder: Path) -> Path:
    """Write the archive and return where.

    Raises:
        UsageError: no student number, or it can't be written.
    """
    number, name = number.strip(), " ".join(name.split())
    if not number or not re.fullmatch(r"[\w.@-]{1,64}", number):
        raise UsageError(text("roster.bad_id", id=number))
    manifest = Manifest(
        format=1,
        assignment=assignment_id,
        id=number,
        name=name,
        sha256=sha256_of(submission.files),
        autograder=__version__,
        packed_at=datetime.now(UTC),
    )
    parts = [number, *([_UNSAFE.sub("-", name)] if name else []), assignment_id]
    path = folder / f"{'_'.join(parts)}.zip"
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, content in sorted(submission.files.items()):
                archive.writestr(file, content)
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
    except OSError as error:
        raise UsageError(text("pack.not_written", file=path, problem=error.strerror or error)) from None
    return path


def contents(submission: Submission) -> str:
    """Return the names of the files that were packed, as far as one reads them."""
    names = sorted(submission.files)
    return ", ".join(names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")


def is_untouched(submission: Submission, assignment: LoadedAssignment) -> bool:
    """Return whether the file is still the stub, as the course gave it."""
    stubs = (assignment.folder / name for name in assignment.stub_names)
    given = {_text_of(stub.read_bytes()) for stub in stubs if stub.is_file()}
    return _text_of(submission.files[submission.main]) in given


def _text_of(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")  # as editors on Windows save it


def manifests_in(files: dict[str, bytes]) -> list[Manifest]:
    """Return the manifests among files, in whatever folders, as far as they are right: one as a rule.

    There are several where somebody packed what another had packed.
    """
    found: list[Manifest] = []
    for file, content in files.items():
        if file.rsplit("/", 1)[-1] == MANIFEST and len(content) <= _MOST_BYTES:
            with contextlib.suppress(ValidationError, ValueError, RecursionError):
                found.append(Manifest.model_validate(json.loads(content)))
    return found


_MOST_BYTES = 10_000
