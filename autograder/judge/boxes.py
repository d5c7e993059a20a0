"""Which box a request goes to, and what is remembered: one instance an attempt.

All public checks share one box; datasets that the assignment mounts lie in their boxes only. A hidden check has a
box of its own, and each hidden training another, which serves nothing else once it has seen hidden inputs: code that
has seen one check's inputs could answer the next from memory. A dead box is replaced for the next check. Trainings are
memoised by what was called with which arguments; a recorded timeout is replayed for the other checks that need the
training, not suffered again. Nor is a notebook's cell that never ends: which ones these are, the first box finds out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from autograder.assignment import Entry
from autograder.box.backends import FORKED, PROCESS
from autograder.box.causes import BoxDied, Cause, Deadline
from autograder.box.client import Answer, BoxClient, StudentRaised, ToldByCells
from autograder.box.protocol import (
    Get,
    Handle,
    Loaded,
    Path,
    ProtocolError,
    Put,
    ReadFolder,
    Request,
    Set,
    Take,
    WriteFolder,
)
from autograder.box.spec import BoxSpec
from autograder.box.values import Decoder, Encoder
from autograder.judge import claims
from autograder.judge.advice import Advice, gathered
from autograder.judge.calls import CheckMistake, call_message, encoder_for, seed_in, training_key
from autograder.judge.listener import Listener
from autograder.judge.proxy import Core, RemoteObject, core_of, remotes_in
from autograder.results import Status

if TYPE_CHECKING:
    from autograder.box.spares import Spare

_MAX_RUNS = 2  # of one training: after a restart it is run again once
_ANY = -1  # no box's generation
_AHEAD, _AHEAD_WITH_FRAMEWORK = 2, 1  # boxes started before they are needed

Failure = BoxDied | StudentRaised


@dataclass(frozen=True)
class _Training:
    """A memoised call: its value or how it failed, and the box that holds what it made."""

    box: BoxClient
    runs: int
    value: object = None
    failure: Failure | None = None


class Boxes:
    """The boxes of one attempt.

    Args:
        spec: the submission and its limits.
        entry: which functions train, and whose results stay in the box.
        listener: told what is going on.
        spare: a box that waits for a submission.
    """

    def __init__(self, spec: BoxSpec, entry: Entry, listener: Listener, spare: Spare | None = None) -> None:
        # One box tells what a notebook's cells show: the public checks' first.
        self._telling_spec = spec
        self._spec = replace(spec, show_cells=False)
        # SECURITY: what a hidden check asks may be rows of a public dataset, and beside them lie the labels: code that
        # is asked could look its answers up.
        self._hidden_spec = replace(self._spec, datasets={})
        self._trainings = frozenset(entry.trainings)
        self._kept = frozenset([*entry.trainings, *entry.keeps])
        self._listener = listener
        self._open: list[BoxClient] = []
        self._memo: dict[str, _Training] = {}
        # That a name is a callable is asked once; which one it is, is looked up at every call, in the box that it goes
        # to. By the box for those that are tied to one.
        self._callables: dict[tuple[int, str], Core] = {}
        self._hidden = False
        self._hidden_left = 0
        self._shared_used = False
        self._own: BoxClient | None = None  # of the hidden check that is running
        self._moved: list[BoxClient] = []  # which the running check has moved folders to
        self._used: dict[int, BoxClient] = {}  # by the check that is running
        self._ends = time.monotonic() + spec.limits.attempt_s
        self._knows_stopped = not spec.cells  # which of a notebook's cells never end
        self.load_failure: Failure | None = None
        self.loaded: Loaded | None = None
        self.told_by_cells = ToldByCells()
        self._ahead: list[BoxClient] = []
        self.isolation = spec.isolation
        # Started at once: it imports while the judge imports pytest and collects.
        self._shared: BoxClient | None = self._start(spec, spare)

    # --- the check that is running ----------------------------------------------------------------------------------

    def begin_check(self, *, hidden: bool, hidden_left: int) -> None:
        """Prepare for a check.

        Args:
            hidden: it is a hidden one.
            hidden_left: how many hidden ones come after it; boxes for them can start already.
        """
        self._hidden, self._hidden_left, self._own, self._used = hidden, hidden_left, None, {}
        if hidden and self._shared is not None and not self._shared_used:
            if self._spec.datasets:
                self._close(self._shared)
            else:
                self._ahead.append(self._shared)  # only hidden checks are run: as good as new
            self._shared = None
        self._start_ahead()

    def end_check(self) -> Advice:
        """Close what belonged to the check alone, and return what its boxes told: what was printed, and notes."""
        advice = gathered(box.take_advice() for box in self._used.values())
        for box in (self._own, *self._moved):
            if box is not None:
                self._close(box)
        self._own, self._moved = None, []
        return advice

    def try_load(self) -> Loaded | None:
        """Wait until the submission is imported, and return what its box says of itself; None where that failed."""
        try:
            self._wait_until_loaded(self._shared or self._home())
        except (BoxDied, StudentRaised):
            return None
        return self.loaded

    @property
    def may_hold_gpu(self) -> bool:
        """Whether what they hold may be memory of a GPU."""
        spec = self._spec
        return bool(spec.grant.gpus) or (spec.isolation == PROCESS and spec.device != "cpu")

    def begin_to_close(self) -> None:
        """Have every box ending; `close` waits until they are gone."""
        for box in self._open:
            self._tell_end(box)
            box.begin_to_close()

    def close(self) -> None:
        """End every box."""
        self.begin_to_close()  # all of them, before the first is waited for
        while self._open:
            self._open.pop().close()

    # --- what proxies ask for ---------------------------------------------------------------------------------------

    def get_global(self, name: str, pinned: BoxClient | None = None) -> object:
        """Return an attribute of the student's module, in the running check's box or in the one given."""
        key = (pinned.generation if pinned else _ANY, name)
        known = self._callables.get(key)
        if known is not None:
            # No box is needed for that: a hidden check that only trains would start one in vain.
            self._raise_load_failure()
            return RemoteObject(known)
        box = pinned or self._home()
        value = self._ask(box, lambda number: Get(id=number, target=Path(name)), path=name)
        if isinstance(value, RemoteObject) and core_of(value).path:
            core_of(value).pinned = pinned is not None
            self._callables[key] = core_of(value)
        return value

    def get(self, core: Core, name: str) -> object:
        """Return an attribute of an object in the box."""
        return self._ask(self._place_of(core), lambda number: Get(id=number, target=core.target, name=name))

    def set(self, core: Core, name: str, value: object) -> None:
        """Set an attribute of an object in the box."""
        box = self._place_of(core)
        encoder = encoder_for(box)
        node = encoder.value(value)
        self._ask(box, lambda number: Set(id=number, target=core.target, name=name, value=node), encoder)

    def put(self, value: object) -> RemoteObject:
        """Put a value into the box of this check."""
        box = self._home()
        encoder = encoder_for(box)
        node = encoder.value(value)
        remote = self._ask(box, lambda number: Put(id=number, value=node), encoder)
        if not isinstance(remote, RemoteObject):
            raise BoxDied(Cause(Status.CRASHED, "protocol", "no handle for a value that was put"))
        return remote

    def take(self, core: Core) -> object:
        """Return the current value of what a handle stands for."""
        return self._ask(self._place_of(core), lambda number: Take(id=number, target=core.target))

    def new_folder(self, core: Core) -> str:
        """Make a folder in the box that an object lives in, and return its path."""
        return self._write_folder(self._place_of(core), {})

    def move_folder(self, core: Core, folder: str) -> tuple[BoxClient, str]:
        """Copy a folder from the box that an object lives in to a new one; return that, and the copy's path."""
        source = self._place_of(core)
        files = self._ask(source, lambda number: ReadFolder(id=number, folder=folder))
        if not claims.are_files(files):
            raise source.reject(ProtocolError("not the files of a folder"))
        box = self._take_started() if self._hidden else self._start(self._spec)
        self._moved.append(box)
        return box, self._write_folder(box, files)

    def _write_folder(self, box: BoxClient, files: object) -> str:
        encoder = encoder_for(box)
        node = encoder.value(files)
        path = self._ask(box, lambda number: WriteFolder(id=number, files=node), encoder)
        if not isinstance(path, str):
            raise box.reject(ProtocolError("no path for a new folder"))
        return path

    def call(self, core: Core, args: tuple[object, ...], kwargs: dict[str, object], *, memo: bool = True) -> object:
        """Call a function of the student's in the box that its arguments live in; trainings by their own rules."""
        home = self._box_of([core, *remotes_in(args), *remotes_in(kwargs)])
        if core.path not in self._trainings:
            return self._call_in(home or self._home(), core, args, kwargs)
        if home is not None or not memo:
            return self._call_in(home or self._box_for_training(), core, args, kwargs)
        return self._train(core, args, kwargs)

    # --- trainings --------------------------------------------------------------------------------------------------

    def _train(self, core: Core, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        key = training_key(core.path, args, kwargs, hidden=self._hidden)
        known = self._memo.get(key)
        if known is not None:
            self._used[known.box.generation] = known.box
            if known.failure is not None:
                raise known.failure
            if known.box.alive:
                return known.value
            if known.runs >= _MAX_RUNS:
                raise known.box.died()
        runs = known.runs + 1 if known else 1
        box = self._box_for_training()
        try:
            value = self._call_in(box, core, args, kwargs)
        except (BoxDied, StudentRaised) as failure:
            self._memo[key] = _Training(box, runs, failure=failure)
            raise
        self._memo[key] = _Training(box, runs, value)
        return value

    # --- requests ---------------------------------------------------------------------------------------------------

    def _call_in(self, box: BoxClient, core: Core, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        self._listener.calling(core.path or core.handle.type_name, seed_in(kwargs))
        encoder = encoder_for(box)
        # What a training makes stays in its box: a list of tensors would come back to predict as arrays.
        call = call_message(core.target, encoder, args, kwargs, keep=core.path in self._kept)
        trains = core.path in self._trainings
        return self._ask(box, lambda number: msgspec.structs.replace(call, id=number), encoder, trains=trains)

    def _ask(
        self,
        box: BoxClient,
        make: Callable[[int], Request],
        encoder: Encoder | None = None,
        path: str = "",
        *,
        trains: bool = False,
    ) -> object:
        self._used[box.generation] = box
        self._wait_until_loaded(box)
        began = time.monotonic()  # not before: the import is no part of a training
        answer = box.request(make, encoder.arrays if encoder else [], self._deadline_of(trains=trains))
        if trains:
            self._listener.trained(time.monotonic() - began)
        return self._decode(box, answer, path)

    def _deadline_of(self, *, trains: bool) -> Deadline:
        limits, attempt = self._spec.limits, self._left_of_attempt()
        limit_s = limits.training_s if trains else limits.call_s
        return attempt if attempt.left_s < limit_s else Deadline(limit_s, "training" if trains else "wall", limit_s)

    def _left_of_attempt(self) -> Deadline:
        attempt = Deadline(self._ends - time.monotonic(), "attempt", self._spec.limits.attempt_s)
        if attempt.left_s <= 0:
            raise BoxDied(attempt.cause)
        return attempt

    def _decode(self, box: BoxClient, answer: Answer, path: str) -> object:
        def resolve(node: Handle | Path) -> object:
            # SECURITY: a box can only name objects of its own.
            if isinstance(node, Path) or node.generation != box.generation:
                raise ProtocolError("a handle to an object of another box")
            # Only the answer itself is the attribute; a function in a list that is one has no name to be called by.
            is_attribute = node is answer.value and node.callable
            return RemoteObject(Core(self, box, node, path if is_attribute else ""))

        try:
            value = Decoder(answer.reader, resolve).value(answer.value)
            answer.reader.finish()
        except ProtocolError as error:
            raise box.reject(error) from None
        return value

    # --- which box --------------------------------------------------------------------------------------------------

    def _box_of(self, cores: Sequence[Core]) -> BoxClient | None:
        """Return the box that the objects live in; None where all are attributes of the module, which any box has."""
        found = {core.box.generation: core.box for core in cores if not core.is_anywhere}
        if len(found) > 1:
            raise CheckMistake("objects of two boxes can't go into one call")
        return next(iter(found.values()), None)

    def _place_of(self, core: Core) -> BoxClient:
        """Return the box to ask about an object; for an attribute of the module that of the running check."""
        return self._home() if core.is_anywhere else core.box

    def _home(self) -> BoxClient:
        """Return the box of the check that is running."""
        self._raise_load_failure()
        if self._hidden:
            if self._own is None or not self._own.alive:
                self._own = self._take_started()
            return self._own
        if self._shared is None or not self._shared.alive:
            # One that has ended before anybody waited for it has told nothing.
            self._shared = self._start(self._spec if self.told_by_cells.printed else self._telling_spec)
        self._shared_used = True
        if self._learn_stopped(self._shared):
            self._shared = self._start(self._spec)
        return self._shared

    def _box_for_training(self) -> BoxClient:
        self._raise_load_failure()
        return self._take_started() if self._hidden else self._home()

    def _take_started(self) -> BoxClient:
        """Return a new box for a hidden check: one started ahead, where there is one, and start the next ahead."""
        box = self._ahead.pop(0) if self._ahead else self._start(self._hidden_spec)
        self._start_ahead()
        if not box.alive:
            box = self._start(self._hidden_spec)
        return self._start(self._hidden_spec) if self._learn_stopped(box) else box

    def _learn_stopped(self, box: BoxClient) -> bool:
        """Learn from a notebook's first box which cells it had to stop; return whether it had to: then it is closed.

        No other box runs into these cells.

        SECURITY: that they never end is a claim, and a false one costs whoever makes it what these cells would have
        done. The box itself answers nothing: code that sees a loop of its own run, or not, would know by that whether
        it is a public or a hidden check that asks.
        """
        if self._knows_stopped:
            return False
        box.load()
        self._used[box.generation] = box  # how it fails, if it does, is told with what it has printed
        self._wait_until_loaded(box)
        self._knows_stopped = True
        stopped = tuple(self.loaded.stopped) if self.loaded else ()
        if stopped:
            self._telling_spec, self._spec, self._hidden_spec = (
                replace(spec, stopped=stopped) for spec in (self._telling_spec, self._spec, self._hidden_spec)
            )
            del self._used[box.generation]
            self._close(box)
        for waiting in self._ahead:
            waiting.load(stopped)
        return bool(stopped)

    def _start_ahead(self) -> None:
        """Start boxes ahead for the hidden checks to come: a small import takes longer than most checks.

        A framework's import takes seconds of both cores, where a box is not forked from a process that has it: it
        waits until the public checks are done. So does what would hold memory of a GPU. A notebook is withheld from
        them until it is known which cells never end: each would run into them.
        """
        is_cheap = not self._spec.frameworks or (self._spec.isolation in FORKED and not self._spec.grant.gpus)
        if self.load_failure is not None or not (is_cheap or self._hidden):
            return
        ahead = _AHEAD_WITH_FRAMEWORK if self._spec.frameworks else _AHEAD
        while len(self._ahead) < min(ahead, self._hidden_left):
            self._ahead.append(self._start(replace(self._hidden_spec, is_held=not self._knows_stopped)))

    def _start(self, spec: BoxSpec, spare: Spare | None = None) -> BoxClient:
        box = BoxClient(spec, spare.give(spec)) if spare else BoxClient(spec)
        self._open.append(box)
        return box

    def _close(self, box: BoxClient) -> None:
        self._tell_end(box)
        box.close()
        self._open.remove(box)

    def _tell_end(self, box: BoxClient) -> None:
        if box.is_loaded and box.alive:
            self._listener.box_ends(box.needs)

    def _raise_load_failure(self) -> None:
        """How the import failed once stands for every check: it would cost as much each time."""
        if self.load_failure is not None:
            raise self.load_failure

    def _wait_until_loaded(self, box: BoxClient) -> None:
        """Wait for the import."""
        self._raise_load_failure()
        if box.is_loaded:
            return
        # SECURITY: each hidden check's box imports the submission, and so does one in place of each that ended. With
        # an import of nearly a minute every check would take that long, after the end of the attempt's time, too.
        self._left_of_attempt()
        self._listener.loading(self._spec.frameworks[0] if self._spec.frameworks else None)
        try:
            claim = claims.loaded(box.loaded())
            # SECURITY: the first one's, told before any box was asked anything. A later one is there while a hidden
            # check's box is asked, may have heard from it what (docs/box.md), and the student reads it in the report.
            self.loaded = self.loaded or claim
        except (BoxDied, StudentRaised) as failure:
            self.load_failure = failure
            raise
        finally:
            if (told := box.told_by_cells()).printed:
                self.told_by_cells = told
