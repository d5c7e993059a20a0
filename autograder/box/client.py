"""One box as the judge sees it: requests and answers, and in the end one honest reason why it died.

`BoxClient` starts a worker and gives it the submission; `request` sends one message and waits for its answer. It never
restarts: a box that is dead stays dead, and whoever needs another makes one (autograder.judge.boxes).
"""

from __future__ import annotations

import contextlib
import itertools
import math
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograder.box import backends, screen
from autograder.box.advice import Note
from autograder.box.causes import BoxDied, Cause, Deadline, cause_of_end, megabytes, within
from autograder.box.channel import ChannelClosed, DeadlineExceeded
from autograder.box.grant import GpuWatch
from autograder.box.nvml import nvml
from autograder.box.output import CellPrints, OutputDrain, Printed, shown
from autograder.box.protocol import (
    ArrayNode,
    ArrayReader,
    Load,
    Loaded,
    ProtocolError,
    Raised,
    Release,
    Reply,
    Request,
    Returned,
    Sync,
    Synced,
    TooLarge,
    Value,
    decode_reply,
)
from autograder.box.spec import BoxSpec
from autograder.limits import MB, Needs
from autograder.results import Status

if TYPE_CHECKING:
    from autograder.box.init import Room

_EXIT_WAIT_S = 2.0  # a process whose channel is closed is about to end, or never will
_CELLS_SHARE = 0.9  # of the time for an import: what one cell is stopped for must not end the box first
_TAIL_WAIT_S = 0.5
_RELEASE_MOST = 10_000  # in one message
_FORGOTTEN_MOST = 100_000  # a box that hands out more, to fill the judge's memory, keeps them
_RELEASE_EVERY = 256  # handles: seldom enough not to double the round trips
_LARGE_BYTES = 1 << 20  # arrays from here on: what is no longer used goes first, a model before the next training


class StudentRaised(Exception):
    """The student's code raised an exception in the box."""

    def __init__(self, raised: Raised, refused: tuple[str, ...] = (), room: Room | None = None) -> None:
        super().__init__(f"{raised.type_name}: {raised.text}")
        self.raised = raised
        # Evidence: system calls that were refused in this check, by name; what the box's files took then.
        self.refused, self.room = refused, room


class Told(NamedTuple):
    """What a box told beside its answers: a claim."""

    printed: str = ""  # the end of it
    notes: Sequence[Note] = ()


class ToldByCells(NamedTuple):
    """What a notebook's cells showed while they were run: a claim, and from before the box was asked for anything."""

    printed: Sequence[Printed] = ()
    figures: Sequence[bytes] = ()


class Answer(NamedTuple):
    """A value as it came, with what cuts its arrays out of the payload."""

    value: Value
    reader: ArrayReader


_SYNC = within(2.0)


class BoxClient:
    """A box from start to end.

    Args:
        spec: the submission and its limits. The worker starts, and is given the files, at once, unless they are held
            back until `load`; what comes of that is told by `loaded`.
        spare: a box of its kind that was started ahead, and is given the files instead of a new one.
    """

    def __init__(self, spec: BoxSpec, spare: backends.Started | None = None) -> None:
        # SECURITY: not counted: the worker is told it, and what is counted tells the first box, which is the public
        # checks', from those of the hidden ones.
        self.generation = secrets.randbits(63)
        self._spec = spec
        self._ids = itertools.count(1)
        self._cause: Cause | None = None
        self._load_id = 0  # nothing has been sent
        self._loaded: Loaded | None = None
        self._load_failure: StudentRaised | None = None
        self._forgotten: list[int] = []
        self._told_by_cells: ToldByCells | None = None
        self._secret = secrets.token_hex(8) if spec.show_cells and spec.cells else ""
        limits = spec.limits
        self._running = backends.start(spec) if spare is None else spare
        self._running.channel.most_received_bytes = limits.answer_mb * MB
        try:
            # Before the threads: the box imports the submission in the time that they take to start.
            if not spec.is_held:
                self.load()
        except BaseException:
            self._running.end()
            self._running.output.close()
            raise
        most_marks = 2 * len(spec.cells) + screen.MOST_FIGURES + 1
        cells = CellPrints(self._secret.encode(), most_marks) if self._secret else None
        self._output = OutputDrain(self._running.output, limits.output_mb * MB, self._kill_for_output, cells)
        self._memory = self._running.watch_memory(limits.memory_mb * MB, self._kill_for_memory)
        if limits.processes or spec.isolation == backends.PROCESS:  # elsewhere there is one process, and its rlimit
            self._memory.limit_cpu(limits.cpu_s, self._kill_for_cpu)
        self._meter = nvml() if spec.grant.gpus else None
        self._gpu = self._meter and GpuWatch(spec.grant, self._meter, self._running.members, self._kill_for_gpu_memory)

    # --- life -----------------------------------------------------------------------------------------------------

    @property
    def isolation(self) -> str:
        """How it is shut in, as reports call it."""
        return self._running.isolation

    @property
    def alive(self) -> bool:
        """Whether requests can be sent."""
        return self._cause is None and self._running.process.poll() is None

    @property
    def is_loaded(self) -> bool:
        """Whether the import has ended well, as far as was waited for."""
        return self._loaded is not None

    def died(self) -> BoxDied:
        """Return the error that says why the box is dead."""
        return BoxDied(self._cause_of_silence())

    def load(self, stopped: tuple[int, ...] = ()) -> None:
        """Give the box the submission, where it has none yet.

        Args:
            stopped: lines that a notebook's cells were stopped at in another box.
        """
        if not self._load_id:
            self._spec = replace(self._spec, stopped=stopped or self._spec.stopped)
            self._load_id = self._send_load()

    def loaded(self) -> Loaded:
        """Wait until the submission is imported, and return what the worker says of itself.

        Raises:
            StudentRaised: the import raised; every time it is asked.
            BoxDied: the import did not end well.
        """
        if self._load_failure is not None:
            raise self._load_failure
        if self._loaded is None:
            try:
                self._loaded = self._wait_for_load()
            finally:
                # SECURITY: now, and once: the next that the box is sent may be what a hidden check asks.
                if self._told_by_cells is None:
                    figures = self._loaded.figures if self._loaded else ()
                    self._told_by_cells = ToldByCells(self._output.take_cells(_TAIL_WAIT_S), figures)
        return self._loaded

    def told_by_cells(self) -> ToldByCells:
        """Return what the notebook's cells showed, once `loaded` has ended, well or not."""
        return self._told_by_cells or ToldByCells()

    def request(
        self,
        make: Callable[[int], Request],
        arrays: list[np.ndarray[Any, Any]],
        deadline: Deadline | None = None,
    ) -> Answer:
        """Send one message and wait for its answer.

        Args:
            make: the message, given its id.
            arrays: its payload.
            deadline: for the answer; without, the limit of one call.

        Raises:
            StudentRaised: the student's code raised.
            BoxDied: the box ended, or was ended by a limit.
            Unsendable: the message is too large.
        """
        self.loaded()
        is_large = any(array.nbytes >= _LARGE_BYTES for array in arrays)
        if self._forgotten and (is_large or len(self._forgotten) >= _RELEASE_EVERY):
            numbers, self._forgotten = self._forgotten[:_RELEASE_MOST], self._forgotten[_RELEASE_MOST:]
            self._exchange(Release(id=next(self._ids), numbers=numbers), [], _SYNC)
        request_id = next(self._ids)
        reply, reader = self._exchange(make(request_id), arrays, deadline or within(self._spec.limits.call_s))
        if isinstance(reply, Raised):
            raise self._raised(reply)
        if not isinstance(reply, Returned):
            raise self.reject(ProtocolError("an answer of another kind"))
        return Answer(reply.value, reader)

    def forget(self, number: int) -> None:
        """Note that a handle is no longer used; the object is released with some later request."""
        if len(self._forgotten) < _FORGOTTEN_MOST:
            self._forgotten.append(number)

    def take_output(self) -> str:
        """Return the tail of what the student's code printed since the last time."""
        return self.take_advice().printed

    def take_advice(self) -> Told:
        """Return what the box told since the last time: the tail of what was printed, and its notes.

        A dead box's notes are lost with it; the tail is kept on this side.
        """
        if not self.alive:
            return Told(shown(self._output.take_all(_TAIL_WAIT_S)))
        if self._loaded is None and self._load_failure is None:
            return Told()  # nobody has waited for the import yet: its output belongs to whoever does
        marker = f"\0{secrets.token_hex(8)}\0"
        try:
            reply, _ = self._exchange(Sync(id=next(self._ids), marker=marker), [], _SYNC)
        except BoxDied:
            return Told(shown(self._output.take_all(_TAIL_WAIT_S)))
        self._running.evidence()  # a refusal counts for the check that it came in
        notes = reply.notes if isinstance(reply, Synced) else ()
        return Told(shown(self._output.take(marker.encode(), _TAIL_WAIT_S)), notes)

    def needs(self) -> Needs:
        """Return what the box has taken so far of what is limited: the judge's own counts, and the kernel's."""
        taken, room = self._memory.taken(), self._running.room()
        return Needs(
            memory_mb=math.ceil(taken.memory_bytes / MB),
            cpu_s=round(taken.cpu_s, 1),
            disk_mb=round(room.disk_bytes / MB, 1) if room else 0,
            files=room.files if room else 0,
            output_mb=round(self._output.most_bytes / MB, 1),
        )

    def gpu_bytes(self) -> int:
        """Return the memory of its GPUs that its processes have, by what the driver says; 0 where it can't be told."""
        pids = [member.pid for member in self._running.members()]
        return self._meter.used_bytes(self._spec.grant.gpus, pids) if self._meter else 0

    def begin_to_close(self) -> None:
        """Have the box ending while something else is done; `close` waits until it is gone."""
        self._let_go()
        if self._spec.isolation != backends.PROCESS:  # there the search for what it left behind would be made twice
            self._running.kill()

    def close(self) -> None:
        """End the box and everything in it. Safe to call twice."""
        self._let_go()
        self._running.end()

    def _let_go(self) -> None:
        self._memory.stop()
        if self._gpu:
            self._gpu.stop()
        if self._cause is None:
            self._cause = Cause(Status.INTERNAL, "closed")

    # --- how it goes ----------------------------------------------------------------------------------------------

    def _send_load(self) -> int:
        spec, limits, number = self._spec, self._spec.limits, next(self._ids)
        contents = [np.frombuffer(content, dtype=np.uint8) for content in spec.files.values()]
        message = Load(
            id=number,
            files=list(spec.files),
            contents=[ArrayNode("|u1", [array.size]) for array in contents],
            main=spec.main,
            generation=self.generation,
            device=spec.device,
            threads=limits.threads,
            memory_bytes=limits.memory_mb * MB,
            cpu_s=limits.cpu_s,
            file_bytes=limits.file_mb * MB,
            answer_bytes=limits.answer_mb * MB,
            frameworks=list(spec.frameworks),
            notebook=spec.notebook,
            cells=list(spec.cells),
            cells_s=limits.import_s * _CELLS_SHARE,
            stopped=list(spec.stopped),
            show=self._secret,
            gpu_share=spec.grant.share if spec.grant.gpus else 0.0,
            datasets={name: self._running.dataset_folder(name) for name in spec.datasets},
        )
        # A worker that is dead already is found out when the answer is waited for.
        with contextlib.suppress(ChannelClosed, DeadlineExceeded):
            self._running.channel.send(message, contents, limits.import_s)
        return number

    def _wait_for_load(self) -> Loaded:
        limit_s = self._spec.limits.import_s
        deadline = within(limit_s, "import_wall")
        if self._secret:  # that somebody looks must not cost who draws much
            deadline = deadline._replace(left_s=limit_s + 2 * screen.FIGURES_S)
        reply, _ = self._receive(self._load_id, deadline)
        if isinstance(reply, Raised):
            self._load_failure = self._raised(reply)
            raise self._load_failure
        if not isinstance(reply, Loaded):
            raise BoxDied(self._kill(Cause(Status.CRASHED, "protocol")))
        self._running.evidence()  # what packages have tried while they were imported has nothing to do with what comes
        return reply

    def _exchange(
        self, message: Request, arrays: list[np.ndarray[Any, Any]], deadline: Deadline
    ) -> tuple[Reply, ArrayReader]:
        if self._cause is not None:
            raise BoxDied(self._cause)
        ends = time.monotonic() + deadline.left_s
        try:
            self._running.channel.send(message, arrays, deadline.left_s)
        except DeadlineExceeded:
            raise BoxDied(self._kill(deadline.cause)) from None
        except ChannelClosed:
            raise BoxDied(self._cause_of_silence()) from None
        return self._receive(message.id, deadline._replace(left_s=max(ends - time.monotonic(), 0.001)))

    def _receive(self, request_id: int, deadline: Deadline) -> tuple[Reply, ArrayReader]:
        try:
            frame = self._running.channel.receive(deadline.left_s, lambda: self._running.process.poll() is None)
            reply = decode_reply(frame.header)
        except DeadlineExceeded:
            if broken := self._running.evidence().broken:
                raise BoxDied(self._kill(Cause(Status.INTERNAL, "seal", broken))) from None
            raise BoxDied(self._kill(deadline.cause)) from None
        except ChannelClosed:
            raise BoxDied(self._cause_of_silence()) from None
        except TooLarge as error:
            limit = str(self._spec.limits.answer_mb)
            raise BoxDied(self._kill(Cause(Status.OUTPUT, "answer", limit, megabytes(error.payload_bytes)))) from None
        except ProtocolError as error:
            raise BoxDied(self._kill(Cause(Status.CRASHED, "protocol", str(error)))) from None
        # SECURITY: an answer to another question is not an answer; the student's code can write to the channel.
        if reply.id != request_id:
            raise BoxDied(self._kill(Cause(Status.CRASHED, "protocol", "an answer to no question")))
        return reply, ArrayReader(frame.payload)

    def _raised(self, reply: Raised) -> StudentRaised:
        return StudentRaised(reply, self._running.evidence().refused, self._running.room())

    def reject(self, error: ProtocolError) -> BoxDied:
        """End the box because a value it sent is impossible, and return what to raise."""
        return BoxDied(self._kill(Cause(Status.CRASHED, "protocol", str(error))))

    def _kill_for_output(self) -> None:
        self._kill(Cause(Status.OUTPUT, "output", str(self._spec.limits.output_mb)))

    def _kill_for_memory(self) -> None:
        self._kill(Cause(Status.MEMORY, "memory", str(self._spec.limits.memory_mb)))

    def _kill_for_cpu(self) -> None:
        self._kill(Cause(Status.TIMEOUT, "cpu", str(self._spec.limits.cpu_s)))

    def _kill_for_gpu_memory(self) -> None:
        self._kill(Cause(Status.MEMORY, "gpu_memory", str(self._spec.grant.memory_bytes // MB)))

    def _kill(self, cause: Cause) -> Cause:
        """Kill the box; the first cause stands. Called from the judge's thread and from the two that watch."""
        if self._cause is None:
            self._cause = cause
        self._running.kill()
        return self._cause

    def _cause_of_silence(self) -> Cause:
        """The channel is closed: find out from the exit status why, unless we did it."""
        if self._cause is not None:
            return self._cause
        try:
            status = self._running.process.wait(_EXIT_WAIT_S)
        except subprocess.TimeoutExpired:
            return self._kill(Cause(Status.CRASHED, "protocol", "closed its channel"))
        evidence, limits = self._running.evidence(), self._spec.limits
        return self._kill(cause_of_end(status, evidence, self._running.room, limits))
