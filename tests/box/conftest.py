"""What the tests of the box share: a box that is driven by hand, and waiting for what can't be waited for otherwise."""

from __future__ import annotations

import os
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any, NamedTuple, Protocol

import numpy as np
import psutil
import pytest

from autograder.assignment import Entry
from autograder.box.backends import ISOLATIONS
from autograder.box.causes import BoxDied, Cause, within
from autograder.box.client import Answer, BoxClient, StudentRaised
from autograder.box.interpreter import choose
from autograder.box.probe import probe
from autograder.box.protocol import Call, Get, Handle, Loaded, Path, Put, Raised, Request, Set, Take, Unsendable, Value
from autograder.box.spec import BoxSpec
from autograder.box.values import Decoder, Encoder
from autograder.judge import boxes as boxes_module
from autograder.judge.boxes import Boxes
from autograder.judge.listener import Listener
from autograder.judge.proxy import Submission
from autograder.limits import Limits

FOUND = probe(every=True)
# What a machine does not have is left out, and where everything is required it is a failure.
REQUIRED = {"namespaces", "bwrap", "restricted"} if os.environ.get("GRADE_REQUIRE_ALL") else set()
BACKENDS = tuple(name for name in ISOLATIONS if name in {*FOUND.backends, *REQUIRED})

sealed_only = pytest.mark.skipif("namespaces" not in BACKENDS, reason=f"no sealed boxes here: {FOUND.missing}")

MAIN = "answer.py"
PYTHON = choose(os.environ.get("GRADE_TEST_PYTHON"), print)  # that the boxes run with
QUICK = Limits(import_s=60, call_s=60, attempt_s=300)
_GONE_S = 30.0  # a ceiling for what takes milliseconds on a quiet machine


class Driven:
    """A box, and the messages that the judge's upper layers would send to it. Handles come back as they are."""

    def __init__(self, client: BoxClient) -> None:
        self.client = client

    def loaded(self) -> Loaded:
        return self.client.loaded()

    def call(
        self, target: str | Handle, *args: object, seed_: int = 0, timeout_s: float | None = None, **kwargs: object
    ) -> Any:
        """Call a function of the module, or what a handle stands for, with the generators seeded with `seed_`."""
        encoder = Encoder(_only_handles)
        nodes = [encoder.value(value) for value in args]
        named = {name: encoder.value(value) for name, value in kwargs.items()}
        where = _target(target)
        return self._ask(
            lambda number: Call(id=number, target=where, args=nodes, kwargs=named, seed=seed_), encoder, timeout_s
        )

    def get(self, target: str | Handle, name: str = "") -> Any:
        where = _target(target)
        return self._ask(lambda number: Get(id=number, target=where, name=name))

    def set(self, target: Handle, name: str, value: object) -> None:
        encoder = Encoder(_only_handles)
        node = encoder.value(value)
        self._ask(lambda number: Set(id=number, target=target, name=name, value=node), encoder)

    def put(self, value: object) -> Any:
        encoder = Encoder(_only_handles)
        node = encoder.value(value)
        return self._ask(lambda number: Put(id=number, value=node), encoder)

    def take(self, target: Handle) -> Any:
        return self._ask(lambda number: Take(id=number, target=target))

    def raised_by(self, target: str | Handle, *args: object, **kwargs: object) -> Raised:
        """Call it, and return the exception that the student's code must raise."""
        with pytest.raises(StudentRaised) as caught:
            self.call(target, *args, **kwargs)
        return caught.value.raised

    def load_failure(self) -> Raised:
        """Return the exception that the import must raise."""
        with pytest.raises(StudentRaised) as caught:
            self.loaded()
        return caught.value.raised

    def death_in(self, target: str | Handle, *args: object, timeout_s: float | None = None) -> Cause:
        """Call it, and return why the box dies of it."""
        with pytest.raises(BoxDied) as caught:
            self.call(target, *args, timeout_s=timeout_s)
        return caught.value.cause

    def _ask(
        self, make: Callable[[int], Request], encoder: Encoder | None = None, timeout_s: float | None = None
    ) -> Any:
        deadline = None if timeout_s is None else within(timeout_s)
        answer = self.client.request(make, encoder.arrays if encoder else [], deadline)
        value = Decoder(answer.reader, lambda node: node).value(answer.value)
        answer.reader.finish()
        return value


def _target(target: str | Handle) -> Path | Handle:
    return Path(target) if isinstance(target, str) else target


def _only_handles(value: object) -> Value | np.ndarray[Any, Any]:
    if isinstance(value, Handle):
        return value
    raise Unsendable(type(value).__name__)


class Opener(Protocol):
    """Opens a box with a module of the given source; limits by keyword."""

    def __call__(
        self,
        source: str,
        *,
        files: dict[str, str] | None = None,
        main: str = MAIN,
        frameworks: tuple[str, ...] = (),
        device: str = "auto",
        notebook: bool = False,
        datasets: dict[str, FilePath] | None = None,
        **limits: float,
    ) -> Driven: ...


# A bwrap box is a cold start each time, and a framework in a box of any other kind than the best is one more. What the
# worker does is the same code in all backends, so that of bwrap only what is about boxes themselves is not for the long
# run, and `make test` has each framework in one kind of box.
ABOUT_BOXES = {"test_conformance.py", "test_mounted.py", "test_limits_of_boxes.py"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        callspec = getattr(item, "callspec", None)
        backend = callspec.params.get("backend") if callspec is not None else None
        if backend in {None, BACKENDS[0]}:
            continue
        if backend == "bwrap":
            item.add_marker(pytest.mark.ci if item.path.name in ABOUT_BOXES else pytest.mark.slow)
        elif any(item.get_closest_marker(framework) for framework in ("torch", "tensorflow")):
            item.add_marker(pytest.mark.ci)


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend; tests that use it run once for each."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def module_opener(backend: str) -> Iterator[Opener]:
    """Opens boxes that are closed after the module's last test: for many tests that do a box no harm."""
    yield from _opener(backend)


@pytest.fixture
def open_box(backend: str) -> Iterator[Opener]:
    """Opens boxes that are closed after the test."""
    yield from _opener(backend)


def opened_as(isolation: str) -> Iterator[Any]:
    """Give what opens boxes with a module of the given source; end them all afterwards."""
    made: list[BoxClient] = []

    def open_(source: str, frameworks: tuple[str, ...] = (), isolation: str = isolation, **limits: float) -> Driven:
        spec = BoxSpec(
            {"answer.py": textwrap.dedent(source).encode()}, "answer.py", frameworks, "cpu",
            Limits.model_validate(limits), isolation=isolation,
        )  # fmt: skip
        made.append(BoxClient(spec))
        return Driven(made[-1])

    yield open_
    for client in made:
        client.close()
        client._output._thread.join(60)


def _opener(backend: str) -> Iterator[Opener]:
    opened: list[BoxClient] = []

    def open_(
        source: str,
        *,
        files: dict[str, str] | None = None,
        main: str = MAIN,
        frameworks: tuple[str, ...] = (),
        device: str = "auto",
        notebook: bool = False,
        datasets: dict[str, FilePath] | None = None,
        **limits: float,
    ) -> Driven:
        texts = {main: source, **(files or {})}
        spec = BoxSpec(
            files={name: textwrap.dedent(content).encode() for name, content in texts.items()},
            main=main,
            frameworks=frameworks,
            device=device,
            limits=Limits.model_validate({**QUICK.model_dump(), **limits}),
            notebook=notebook,
            isolation=backend,
            python=PYTHON,
            datasets=datasets or {},
        )
        client = BoxClient(spec)
        opened.append(client)
        return Driven(client)

    yield open_
    for client in opened:
        close(client)


def close(client: BoxClient) -> None:
    """Close a box with its pipe, and see that its process is gone."""
    client.close()
    assert client._running.process.poll() is not None
    client._output._thread.join(_GONE_S)
    client._running.output.close()


class _Until(Protocol):
    def __call__(self, condition: Callable[[], object], timeout_s: float = _GONE_S) -> bool: ...


@pytest.fixture(scope="session")
def until() -> _Until:
    """Return whether a condition comes true; for what other processes do, which nothing announces."""

    def wait(condition: Callable[[], object], timeout_s: float = _GONE_S) -> bool:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.02)
        return bool(condition())

    return wait


@pytest.fixture(scope="session")
def running_with() -> Callable[[str], list[psutil.Process]]:
    """Return the processes that have a word on their command line and are no zombies."""

    def find(word: str) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if word in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
        ]

    return find


@pytest.fixture
def scratch_root(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> FilePath:
    """A folder of the test's own that boxes make their scratch folders in."""
    folder = tmp_path / "boxes"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


# --- an attempt: the judge's boxes, recorded ------------------------------------------------------------------------

STUDENT = b"""
import os
import numpy as np

class Model:
    def __init__(self, x, seed): self.weights, self.seed, self.seen = np.asarray(x) * 2, seed, []
    def predict(self, x): self.seen.append(x); return self.weights + x

def step(x): return 1 if x > 0 else 0
ACTIVATIONS = [step, abs]

def fit(x, *, seed=0, rate=0.5): return Model(x, seed)
def fit_weights(x, seed=0): return [np.asarray(x) * 2, seed]
def fit_badly(x): raise ValueError("bad")
def fit_for_ever(x):
    while True: pass
def fit_and_leave(x): os._exit(3)
def predict(model, x): return model.predict(x)
def one(): return 1
def leave(): os._exit(3)
def say(text): print(text)
def box(): return os.getpid()
def append(items): items.append(len(items))
def draw(): return np.random.rand()
"""
ENTRY = Entry(
    file="answer.py",
    names=("fit",),
    trainings=("fit", "fit_weights", "fit_badly", "fit_for_ever", "fit_and_leave"),
)


class Asked(NamedTuple):
    """One request, and the box that it went to."""

    box: int
    request: Request


class Attempt(Listener):
    """Boxes with their proxy, and everything that was asked of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, source: bytes, **limits: float) -> None:
        self.asked: list[Asked] = []
        self.clients: list[BoxClient] = []
        self.called: list[str] = []
        self.loadings = 0
        self.forged: Answer | None = None
        attempt = self

        class Recording(BoxClient):
            def __init__(self, spec: BoxSpec) -> None:
                super().__init__(spec)
                attempt.clients.append(self)

            def request(self, make: Callable[[int], Request], *rest: Any) -> Answer:
                attempt.asked.append(Asked(self.generation, make(0)))
                answer = super().request(make, *rest)
                return attempt.forged or answer

        monkeypatch.setattr(boxes_module, "BoxClient", Recording)
        spec = BoxSpec({"answer.py": source}, "answer.py", (), "cpu", Limits.model_validate(limits))
        self.boxes = Boxes(spec, ENTRY, self)
        self.submission: Any = Submission(self.boxes)

    def loading(self, framework: str | None) -> None:
        self.loadings += 1

    def calling(self, name: str, seed: int | None) -> None:
        self.called.append(name)

    def check(self, *, hidden: bool = False, hidden_left: int = 0) -> Any:
        """Begin a check, ending the one before, and return its `submission`."""
        self.boxes.end_check()
        self.boxes.begin_check(hidden=hidden, hidden_left=hidden_left)
        return self.submission

    def calls(self, name: str) -> list[int]:
        """The boxes that a function of the module was called in."""
        return [box for box, request in self.asked if isinstance(request, Call) and request.target == Path(name)]


class Begin(Protocol):
    """Begins an attempt with a module of the given source; limits by keyword."""

    def __call__(self, source: bytes = STUDENT, **limits: float) -> Attempt: ...


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Begins an attempt, which is closed after the test."""
    attempts: list[Attempt] = []

    def begin(source: bytes = STUDENT, **limits: float) -> Attempt:
        attempts.append(Attempt(monkeypatch, source, **limits))
        return attempts[-1]

    yield begin
    for attempt in attempts:
        attempt.boxes.close()
        for client in attempt.clients:
            assert not client.alive
            client._output._thread.join(30)
            client._running.output.close()


@pytest.fixture
def attempt(begin: Begin) -> Attempt:
    """An attempt whose first check, a public one, has begun."""
    made = begin()
    made.check()
    return made
