"""What a result hangs on: two hashes, of what is measured and of how that is scored."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from autograder import __version__
from autograder.course import ASSIGNMENT_FILE, LoadedAssignment
from autograder.judge.options import AttemptOptions
from autograder.submission import is_skipped

# Of assignment.yml: what decides what is measured. The rest decides what it is worth, or is only shown. What the
# reference solution takes sets the limits that a submission is held to.
_MEASURED = {
    "entry", "frameworks", "seeds", "dataset", "mounts", "limits", "reference_s", "reference_attempt_s",
    "reference_needs", "benchmark_s",
}  # fmt: skip
# What numbers hang on: students compute with these.
_PACKAGES = (
    "numpy", "torch", "torchvision", "tensorflow-cpu", "tensorflow", "keras", "scipy", "pandas", "scikit-learn",
    "matplotlib",
)  # fmt: skip


class Key(NamedTuple):
    """What is known of an attempt before it is made."""

    measured: str
    """A hash of all that the measured values hang on."""
    scored: str
    """A hash of what turns them into points."""

    def __str__(self) -> str:
        return hashlib.sha256(f"{self.measured}{self.scored}".encode()).hexdigest()


class Conditions(NamedTuple):
    """What the attempts of one run have in common, as hashes."""

    measured: str
    scored: str
    common: str
    """Of what is measured: all but the files of the checks."""

    def key(self, submission_sha256: str) -> Key:
        """Return the key of an attempt at a submission, by the hash that the store keeps it under."""
        return Key(_hash([self.measured, submission_sha256]), self.scored)


def conditions_of(
    assignment: LoadedAssignment, options: AttemptOptions, isolation: str, versions: Mapping[str, str] | None = None
) -> Conditions:
    """Return what attempts at an assignment hang on beside the submission.

    Args:
        assignment: what is checked.
        options: how.
        isolation: of the boxes.
        versions: what `environment` returns where the attempts are made; None: they are made here.
    """
    common = {
        "embedded": files_sha256(assignment, *filter(None, [assignment.embedded_data])),
        "assignment": assignment.spec.model_dump(mode="json", include=_MEASURED),
        "limits": assignment.limits.model_dump(mode="json"),
        "device": options.device,
        "isolation": isolation,
        "hidden": options.hidden,
        "seeds": list(options.seeds or assignment.spec.seeds),
        "data": options.data,
        "environment": environment() if versions is None else dict(versions),
    }
    measured = common | {"checks": files_sha256(assignment, assignment.tests, assignment.hidden)}
    scored = {name: one.model_dump() for name, one in assignment.spec.metrics.items()}
    return Conditions(_hash(measured), _hash(scored), _hash(common))


def environment() -> dict[str, str]:
    """Return the versions that numbers hang on, of the Python that grade runs with; nothing is imported for it."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "autograder": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def files_sha256(assignment: LoadedAssignment, *folders: Path, but: Collection[Path] = ()) -> str:
    """Return a hash over every file in folders of an assignment: checks read tables and pictures, too.

    Args:
        assignment: whose.
        folders: of it.
        but: files that are left out.
    """
    digest = hashlib.sha256()
    paths = (path for folder in folders for path in sorted(folder.rglob("*")))
    for path in paths:
        relative = path.relative_to(assignment.folder)
        if is_skipped(relative.parts) or path in but or not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".py":  # line ends differ between checkouts of the same file
            content = content.replace(b"\r\n", b"\n")
        digest.update(relative.as_posix().encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def assignment_sha256(assignment: LoadedAssignment) -> str:
    """Return a hash of assignment.yml."""
    return hashlib.sha256((assignment.folder / ASSIGNMENT_FILE).read_bytes()).hexdigest()


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
