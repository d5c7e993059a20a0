"""What travels between `grade run` and the workers of a cluster: plain data as bytes, named by what it hashes to.

    client ──Question──▶ worker ──Kind──▶ client      once: what a worker is, and whether it will do
    client ──Bundle──▶ worker                         once a run: the assignment with its checks
    client ──Order──▶ worker ──Came──▶ client         for each attempt

Dask pickles what it carries between machines that trust each other. All that stems from a student's process is inside
`Came`: bytes with JSON that the worker's judge has parsed into our model before, and that is parsed anew here.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from autograder.course import COURSE_FILE, LoadedAssignment, load_course
from autograder.errors import InternalError
from autograder.judge.options import AttemptOptions
from autograder.judge.orders import Ordered, ordered
from autograder.judge.time_limits import calibration_file
from autograder.messages import Language, text
from autograder.submission import Submission, is_skipped, sha256_of


class Question(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a worker must know to say whether it can make the attempts of a run."""

    isolation: str
    device: str
    processes: int  # that a student's code may start
    threads: int  # of one attempt
    needed_bytes: int  # of memory, by one attempt
    shared_bytes: int  # once for all of a worker
    datasets: tuple[str, ...]  # that must lie on the worker
    language: Language


class Kind(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a worker is."""

    host: str
    environment: dict[str, str]
    isolation: str = ""  # of its boxes without a GPU
    room: int = 0  # for so many attempts at a time
    problem: str = ""  # why it can't make these attempts
    hint: str = ""

    def places(self, run: str) -> str:
        """Return what Dask calls the places for a run's attempts on workers of this kind.

        Workers with other versions or another isolation have other places: no attempt ever runs on one that would give
        other numbers than its key says, whatever Dask moves where, and however late a worker joins.
        """
        return f"{run}-{_hash([self.environment, self.isolation])[:16]}"


class Bundle(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An assignment with all its checks: files by their paths below the course's folder."""

    sha256: str
    assignment: str
    files: dict[str, bytes]


class Order(Ordered, frozen=True, kw_only=True):
    """One attempt."""

    number: int
    bundle_sha256: str
    submission_sha256: str
    submission: Submission
    isolation: str

    @property
    def options(self) -> AttemptOptions:
        """The options of the attempt: it is of a class, whose code nobody trusts."""
        return self.options_in(self.isolation, for_class=True)


class Came(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What came of an order: an answer as `judge.orders` has it, and where it was made."""

    answer: bytes
    host: str


class Began(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Told by a worker when an attempt begins."""

    number: int
    worker: str


_T = TypeVar("_T")


def encoded(message: msgspec.Struct) -> bytes:
    """Return a message as bytes."""
    return msgspec.msgpack.encode(message)


def decoded(message: bytes, kind: type[_T]) -> _T:
    """Return the message in bytes.

    Raises:
        InternalError: it is none.
    """
    try:
        return msgspec.msgpack.decode(message, type=kind)
    except msgspec.MsgspecError as error:
        raise InternalError(text("cluster.garbled", problem=error)) from None


def order_for(number: int, bundle_sha256: str, submission: Submission, options: AttemptOptions, device: str) -> Order:
    """Return the order for an attempt."""
    return Order(
        number=number,
        bundle_sha256=bundle_sha256,
        submission_sha256=submission.sha256,
        submission=submission,
        isolation=options.isolation,
        **ordered(replace(options, device=device)),
    )


def bundle_of(assignment: LoadedAssignment) -> Bundle:
    """Return what a worker needs of an assignment. Solutions stay here: no attempt reads them."""
    paths = {path.relative_to(assignment.root).as_posix(): path for path in _needed(assignment)}
    files = {name: path.read_bytes() for name, path in paths.items()}
    return Bundle(sha256_of(files), assignment.id, files)


def _needed(assignment: LoadedAssignment) -> Iterator[Path]:
    yield assignment.root / COURSE_FILE
    for path in sorted(assignment.folder.rglob("*")):
        if path.is_file() and not is_skipped(path.relative_to(assignment.folder).parts):
            yield path
    # What reference solutions take, a file a machine: a worker finds its own by its name.
    yield from sorted(calibration_file(assignment.root).parent.glob("*.json"))


def unpack(bundle: Bundle, folder: Path) -> LoadedAssignment:
    """Write a bundle's files into a folder, and load the assignment.

    Raises:
        InternalError: they are not what the hash says.
    """
    if sha256_of(bundle.files) != bundle.sha256 or any(".." in PurePosixPath(name).parts for name in bundle.files):
        raise InternalError(text("cluster.garbled", problem=bundle.sha256[:12]))
    for name, content in bundle.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return load_course(folder).assignment(bundle.assignment)


def checked(order: Order, bundle: Bundle) -> Order:
    """Return an order, once it is what its hashes say.

    Raises:
        InternalError: it is not.
    """
    if order.submission.sha256 != order.submission_sha256 or order.bundle_sha256 != bundle.sha256:
        raise InternalError(text("cluster.garbled", problem=order.submission_sha256[:12]))
    return order


def shown_name(name: object) -> str:
    """Return what a worker is called; one that nobody has named is called by its address."""
    return str(name).rpartition("://")[2]


def run_name(assignment: LoadedAssignment) -> str:
    """Return what the workers know a run by: one at a time for a course, so that a new one replaces what was killed."""
    return f"grade-{_hash([platform.node(), str(assignment.root)])[:16]}"


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
