"""What a result hangs on: two hashes, of what is measured and of how that is scored."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from autograder import __version__
from autograder.course import ASSIGNMENT_FILE, LoadedAssignment
from autograder.judge.session import AttemptOptions
from autograder.submission import Submission

# Of assignment.yml: what decides what is measured. The rest decides what it is worth, or is only shown.
_MEASURED = {"entry", "frameworks", "seeds", "dataset", "limits"}
_PACKAGES = ("numpy", "torch", "tensorflow-cpu", "tensorflow", "keras")


class Key(NamedTuple):
    """What is known of an attempt before it is made."""

    measured: str
    """A hash of all that the measured values hang on."""
    scored: str
    """A hash of what turns them into points."""

    def __str__(self) -> str:
        return hashlib.sha256(f"{self.measured}{self.scored}".encode()).hexdigest()


def key_of(assignment: LoadedAssignment, submission: Submission, options: AttemptOptions, isolation: str) -> Key:
    """Return the key of an attempt."""
    measured = {
        "submission": submission.sha256,
        "checks": check_files_sha256(assignment),
        "assignment": assignment.spec.model_dump(mode="json", include=_MEASURED),
        "limits": assignment.limits.model_dump(mode="json"),
        "device": options.device,
        "isolation": isolation,
        "hidden": options.hidden,
        "seeds": list(options.seeds or assignment.spec.seeds),
        "data": options.data,
        "environment": environment(),
    }
    return Key(_hash(measured), _hash({name: one.model_dump() for name, one in assignment.spec.metrics.items()}))


def environment() -> dict[str, str]:
    """Return the versions that numbers hang on, of the Python that grade runs with; nothing is imported for it."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "autograder": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def check_files_sha256(assignment: LoadedAssignment) -> str:
    """Return a hash over every check file, without assignment.yml."""
    digest = hashlib.sha256()
    for path in [*sorted(assignment.tests.rglob("*.py")), *sorted(assignment.hidden.rglob("*.py"))]:
        digest.update(path.relative_to(assignment.folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def assignment_sha256(assignment: LoadedAssignment) -> str:
    """Return a hash of assignment.yml."""
    return hashlib.sha256((assignment.folder / ASSIGNMENT_FILE).read_bytes()).hexdigest()


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
