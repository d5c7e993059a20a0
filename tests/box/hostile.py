"""The judge with nothing of it replaced but the process at the other end of its channel: that is the test's."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from itertools import repeat
from typing import IO, Any, NamedTuple

import numpy as np
import pytest

from autograder.assignment import Entry
from autograder.box import backends
from autograder.box.backends import Evidence
from autograder.box.causes import BoxDied, within
from autograder.box.channel import Channel
from autograder.box.client import BoxClient, StudentRaised
from autograder.box.plain import Taken
from autograder.box.protocol import (
    DTYPES,
    MAX_HEADER_BYTES,
    MAX_NDIM,
    MAX_PAYLOAD_BYTES,
    PREFIX,
    Environment,
    Get,
    Loaded,
    Path,
    encode_message,
)
from autograder.box.spec import BoxSpec
from autograder.judge import boxes as boxes_module
from autograder.judge import claims
from autograder.judge.boxes import Boxes
from autograder.judge.claims import are_files
from autograder.judge.expectations import CheckFailed, as_array, as_int, as_number, show
from autograder.judge.listener import Listener
from autograder.judge.near_miss import Handout
from autograder.judge.proxy import RemoteObject, core_of, remotes_in, type_name
from autograder.judge.verdict import verdict_of
from autograder.limits import Limits
from autograder.results import Status
from autograder.submission import CellStart, Submission

LOAD_ID, ID = 1, 7  # of the first question, and of all others, so that frames can be made before they are asked
GENERATION = 5
SOON_S, LONG_S = 0.02, 60.0
_BUFFER_BYTES = 1 << 18
_ENVIRONMENT = Environment("3.11", "Linux", "2.4", None, None, 2, "cpu", "cpu")
LOADED = b"".join(encode_message(Loaded(id=LOAD_ID, names=["fit"], environment=_ENVIRONMENT), []))
_NOTEBOOK = Submission("a.ipynb", {"a.py": b"x = 1\n"}, "a.py", (CellStart(1, 1), CellStart(4, 2)))
_HANDOUT = Handout({"fit": "fit(x, y)"}, frozenset({"fit"}))
_MOST_HANDLES = 100
_MOST_SHOWN = 10_000  # characters of what a student is told of one value


class HostileBox:
    """A started box whose worker is the test, which writes whatever it likes to `theirs`."""

    isolation = "process"

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self.channel = Channel(ours)
        read, write = os.pipe()
        os.close(write)
        self.output: IO[bytes] = os.fdopen(read, "rb", buffering=0)
        self.has_ended = False

    @property
    def process(self) -> HostileBox:
        return self

    def poll(self) -> int | None:
        return 3 if self.has_ended else None

    def wait(self, timeout_s: float) -> int:
        return 3

    def kill(self) -> None:
        self.has_ended = True

    def end(self) -> None:
        self.kill()
        self.channel.close()
        self.theirs.close()

    def evidence(self) -> Evidence:
        return Evidence()

    def members(self) -> list[object]:
        return []

    def dataset_folder(self, name: str) -> str:
        return ""

    def room(self) -> None:
        """It has no files."""

    def watch_memory(self, max_bytes: int, on_excess: Callable[[], None]) -> HostileBox:
        return self

    def limit_cpu(self, max_cpu_s: float, on_excess: Callable[[], None]) -> None:
        """Nothing is computed."""

    def taken(self) -> Taken:
        return Taken(0, 0.0)

    def stop(self) -> None:
        """There is nothing to watch."""

    def drain(self) -> None:
        """Read what the judge has asked, so that it can go on asking."""
        self.theirs.setblocking(False)
        try:
            while self.theirs.recv(_BUFFER_BYTES):
                pass
        except BlockingIOError:
            self.theirs.setblocking(True)


class _Client(BoxClient):
    """The judge's end; ids and generation are known beforehand."""

    def __init__(self, spec: BoxSpec) -> None:
        super().__init__(spec)
        self._ids = repeat(ID)  # type: ignore[assignment]
        self.generation = GENERATION

    @property
    def hostile(self) -> HostileBox:
        assert isinstance(self._running, HostileBox)
        return self._running


class Judge:
    """The judge's boxes, which are asked a question and given a frame for an answer."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(backends, "start", lambda spec: HostileBox())
        patch.setattr(boxes_module, "BoxClient", _Client)
        limits = Limits(import_s=LONG_S, call_s=LONG_S, attempt_s=10**6, attempt_most_s=10**6)
        self.boxes = Boxes(
            BoxSpec({"a.py": b""}, "a.py", (), limits=limits), Entry(file="a.py", names=("fit",)), Listener()
        )
        patch.setattr(self.boxes, "_deadline_of", lambda *, trains: within(self._deadline_s))
        self.boxes.begin_check(hidden=False, hidden_left=0)
        self._deadline_s = LONG_S

    def asked(self, question: str, frame: bytes, *, stays_open: bool = False) -> object:
        """Ask, and return what the judge makes of the frame; raises what the judge raises.

        Args:
            question: the name of one of QUESTIONS.
            frame: what comes instead of an answer.
            stays_open: where bytes are missing, the channel stays open, and the judge waits until its deadline.
        """
        box = self.fresh_box() if question == "load" else self._loaded_box()
        lacks, left = missing_bytes(frame)
        waits = lacks and stays_open and question not in {"load", "output"}  # they have deadlines of their own
        self._deadline_s = SOON_S if waits else LONG_S
        box.hostile.theirs.sendall(frame)
        if lacks and not waits:
            box.hostile.theirs.shutdown(socket.SHUT_WR)
        try:
            return QUESTIONS[question](self.boxes, box)
        finally:
            if box.alive and not (lacks or left):
                box.hostile.drain()
            else:
                self.close()

    def fresh_box(self) -> _Client:
        """Return a new box that has not answered its first question."""
        self.close()
        self.boxes.load_failure = None
        made = self.boxes._shared = self.boxes._start(self.boxes._spec)
        assert isinstance(made, _Client)
        return made

    def _loaded_box(self) -> _Client:
        box = self.boxes._shared
        # Handles enough, and the judge would release them first, and take the frame for the answer to that.
        if not isinstance(box, _Client) or not box.is_loaded or not box.alive or len(box._forgotten) > _MOST_HANDLES:
            box = self.fresh_box()
            box.hostile.theirs.sendall(LOADED)
            box.loaded()
            box.hostile.drain()
        return box

    def close(self) -> None:
        """End the box, and wait until nothing of it is left."""
        box, self.boxes._shared = self.boxes._shared, None
        if box is not None:
            self.boxes._close(box)
            box._output._thread.join(LONG_S)


def _get(boxes: Boxes, box: BoxClient) -> object:
    return boxes._ask(box, lambda number: Get(id=number, target=Path("fit")), path="fit")


def _load(boxes: Boxes, box: BoxClient) -> object:
    boxes._wait_until_loaded(box)
    assert boxes.loaded is not None
    assert claims.loaded(boxes.loaded) == boxes.loaded
    return None


QUESTIONS: dict[str, Callable[[Boxes, BoxClient], object]] = {
    "get": _get,
    "put": lambda boxes, box: boxes.put(1),
    "folder": lambda boxes, box: boxes._write_folder(box, {}),
    "output": lambda boxes, box: box.take_output(),
    "load": _load,
}


class Missing(NamedTuple):
    """What a frame lacks by its own lengths, and whether more comes after it."""

    lacks: bool
    left: bool


def missing_bytes(frame: bytes) -> Missing:
    """Compare a frame's lengths with its bytes."""
    if len(frame) < PREFIX.size:
        return Missing(lacks=True, left=False)
    header, payload = PREFIX.unpack_from(frame)
    if header > MAX_HEADER_BYTES or payload > MAX_PAYLOAD_BYTES:
        return Missing(lacks=False, left=True)
    whole = PREFIX.size + header + payload
    return Missing(lacks=len(frame) < whole, left=len(frame) > whole)


# --- what may come of it ----------------------------------------------------------------------------------------------

_DEATHS = {
    (Status.CRASHED, "protocol"): "protocol error",
    (Status.CRASHED, "exit"): "channel closed",
    (Status.TIMEOUT, "wall"): "deadline",
}
_PLAIN = (type(None), bool, int, float, str, bytes, complex, RemoteObject)


def outcome(judge: Judge, question: str, frame: bytes, *, stays_open: bool = False) -> str:
    """Return in a word what the judge made of a frame. Raises whatever it may not be."""
    try:
        value = judge.asked(question, frame, stays_open=stays_open)
    except StudentRaised as error:
        assert verdict_of(error, _NOTEBOOK, "", _HANDOUT).status is not Status.INTERNAL  # noqa: PT017 - one of many
        return "exception of the student's"
    except BoxDied as error:
        assert verdict_of(error, _NOTEBOOK, "").status is error.cause.status  # noqa: PT017
        return _DEATHS[error.cause.status, error.cause.kind]
    use(value)
    return "value"


def use(value: object) -> None:
    """Do with a value what checks do: it is plain, and nothing but a failed check comes of it."""
    assert is_plain(value)
    assert len(show(value)) < _MOST_SHOWN
    for read in (as_array, as_number, as_int, _as_three):
        try:
            read(value, what="f(x)")
        except CheckFailed as failed:
            assert len(str(failed)) < _MOST_SHOWN  # noqa: PT017
    for core in remotes_in(value):
        assert core.handle.generation == GENERATION
    if isinstance(value, RemoteObject):
        assert type_name(value).isprintable()
        assert repr(value).isprintable()
    are_files(value)


def _as_three(value: object, what: str) -> Any:
    return as_array(value, what=what, size=3)


def is_plain(value: object) -> bool:
    """Whether a value is made of exact plain types, whose methods are Python's, numpy's or the proxy's."""
    if type(value) in {list, tuple}:
        return all(map(is_plain, value))  # type: ignore[call-overload]
    if type(value) is dict:
        return all(is_plain(item) for pair in value.items() for item in pair)
    if type(value) is np.ndarray:
        return value.dtype.str in DTYPES and value.ndim <= MAX_NDIM and value.nbytes <= MAX_PAYLOAD_BYTES
    if isinstance(value, np.generic):
        return value.dtype.str in DTYPES
    if type(value) is RemoteObject:
        return core_of(value).handle.generation == GENERATION
    return type(value) in _PLAIN
