"""What runs on a cluster's worker: judges of its own, warm for as long as the run lasts.

    Dask's event loop   setup, teardown
    Dask's threads      one for each attempt, waiting for its judge
    our own thread      starts judges, and nothing else

Box zygotes are killed when the thread that made them ends (so that none is left when a worker is killed), and Dask's
threads come and go: hence a thread of our own. The checks, hidden ones too, are written into a folder that only this
user can read, inside the worker's own folder: it goes with the run, when nothing has been asked for ten minutes (the
client was killed), or with the worker. Dask clears away what a killed worker left when the next starts on the machine.
"""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from distributed import Status, WorkerPlugin, get_worker

from autograder import datasets
from autograder.box.grant import Grant, allowed, slots
from autograder.box.interpreter import ours
from autograder.box.memory import available_bytes
from autograder.box.nvml import nvml
from autograder.box.zygotes import close_zygotes
from autograder.course import LoadedAssignment
from autograder.errors import InternalError, UsageError
from autograder.judge.isolation import Wanted, choose_isolation
from autograder.judge.judges import JudgeDied, Judges, Pending, open_judges
from autograder.judge.orders import Answer, failure_of
from autograder.messages import set_language, text
from autograder.results import Report
from autograder.run.executors.freight import (
    Began,
    Bundle,
    Came,
    Kind,
    Order,
    Question,
    checked,
    decoded,
    encoded,
    shown_name,
    unpack,
)
from autograder.run.keys import environment

if TYPE_CHECKING:
    from distributed import Worker

_LOOK_S = 0.2  # between two looks whether the run has been ended
_IDLE_S = 600.0  # without an attempt, before judges are ended and checks removed; the next order has them made anew
_LEAVING_S = 5.0  # for the threads that wait for judges to see that the run has been ended
GPU = "GPU"  # what Dask's users call a worker's GPUs: `dask worker --resources GPU=1`


@cache
def _own_thread() -> ThreadPoolExecutor:
    """Return the thread that starts judges: one for all courses, which share the zygotes that it is the parent of."""
    return ThreadPoolExecutor(1, thread_name_prefix="grade")


def describe(question: bytes, dask_worker: Worker) -> bytes:
    """Say what this worker is, and whether it can make the attempts of a run."""
    asked = decoded(question, Question)
    set_language(asked.language)
    kind = Kind(socket.gethostname(), environment())
    try:
        isolation = _isolation(asked, Path(dask_worker.local_directory))
    except UsageError as error:
        return encoded(msgspec.structs.replace(kind, problem=error.message, hint=error.hint or ""))
    return encoded(msgspec.structs.replace(kind, isolation=isolation, room=_room(asked, dask_worker)))


def _room(asked: Question, worker: Worker) -> int:
    """Return how many attempts there is room for: by cores, and by what the worker may take of the machine's memory."""
    share: int = worker.memory_manager.memory_limit or available_bytes()
    memory = min(available_bytes(), share)
    by_memory = (memory - asked.shared_bytes) // asked.needed_bytes
    by_cores: int = worker.state.nthreads // asked.threads
    return max(1, min(by_cores, by_memory))


def _isolation(asked: Question, folder: Path) -> str:
    if sys.platform != "linux":
        raise UsageError(text("cluster.not_linux", platform=sys.platform))
    for name in asked.datasets:
        if datasets.find(datasets.DATASETS[name]) is None:
            raise UsageError(text("cluster.no_dataset", name=name), hint=text("cluster.no_dataset_hint", name=name))
    private = (folder, Path.home())
    wanted = Wanted(asked.isolation, asked.device, private=private, processes=asked.processes, for_class=True)
    return choose_isolation(wanted, ours()).isolation


def attempt(plugin: str, order: bytes) -> bytes:
    """Make an attempt, on a thread of Dask's."""
    found = get_worker().plugins.get(plugin)
    if found is None:  # the run has ended, and Dask had not heard of it yet
        return encoded(Came(encoded(Answer(failure=failure_of(InternalError(text("cluster.ended"))))), ""))
    answer: bytes = found.attempt(order)
    return answer


class Attempts(WorkerPlugin):  # type: ignore[misc]  # Dask has no types
    """Makes the attempts of one run on a worker.

    Args:
        name: what the workers know the run by.
        question: what the worker must be able to do.
        bundle: the assignment, as bytes.
        topic: of Dask's events, that the beginning of each attempt is told under.
    """

    def __init__(self, name: str, question: bytes, bundle: bytes, topic: str) -> None:
        self.name = name
        self._question, self._bundle, self._topic = question, bundle, topic

    async def setup(self, worker: Worker) -> None:
        """Say how many attempts there is room for; Dask gives the worker no more."""
        self._worker = worker
        self._host = socket.gethostname()
        self._own = _own_thread()
        self._ending = threading.Event()
        self._known = decoded(self._bundle, Bundle)
        self._running, self._last = 0, time.monotonic()
        self._left = threading.Condition()
        self._judges: Judges | None = None
        self._folder: Path | None = None
        self._free_gpus = _gpus(int(worker.state.total_resources.get(GPU, 0)))
        # Not where the loop runs: a machine is probed for a second or two.
        answer = await asyncio.wrap_future(self._own.submit(describe, self._question, worker))
        kind = decoded(answer, Kind)
        self._places = kind.places(self.name)
        await worker.set_resources(**{self._places: kind.room})
        self._watch = asyncio.create_task(self._end_when_idle())

    async def teardown(self, worker: Worker) -> None:
        """Interrupt what runs; leave no process and no check behind."""
        self._watch.cancel()
        self._ending.set()
        await asyncio.wrap_future(self._own.submit(self._close))
        if worker.status is Status.running:  # for the next run, which may find other versions installed
            await worker.set_resources(**{self._places: 0})

    async def _end_when_idle(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_S / 10)
            if time.monotonic() - self._last > _IDLE_S:
                await asyncio.wrap_future(self._own.submit(self._close_if_idle))

    def attempt(self, message: bytes) -> bytes:
        """Make an attempt. Whatever goes wrong is told as plain data: Dask would pickle an exception."""
        try:
            with self._counted():
                order = checked(decoded(message, Order), self._known)
                self._worker.log_event(self._topic, encoded(Began(order.number, shown_name(self._worker.name))))
                answer = Answer(report=self._report(order).model_dump_json())
        except Exception as error:  # noqa: BLE001 - see above
            answer = Answer(failure=failure_of(error))
        return encoded(Came(encoded(answer), self._host))

    def _report(self, order: Order) -> Report:
        with self._gpu(order) as grant:
            judges, pending = self._own.submit(self._start, order, grant).result()
            while not judges.wait([pending], _LOOK_S):
                if self._ending.is_set():  # our own thread ends the judge
                    raise JudgeDied(text("cluster.ended"))
            return pending.result()

    def _start(self, order: Order, grant: Grant | None) -> tuple[Judges, Pending]:
        """Start a judge; in our own thread."""
        if self._ending.is_set():
            raise JudgeDied(text("cluster.ended"))
        set_language(decoded(self._question, Question).language)
        if self._judges is None:
            self._folder = Path(tempfile.mkdtemp(prefix="grade-", dir=self._worker.local_directory))
            self._assignment: LoadedAssignment = unpack(self._known, self._folder)
            self._judges = open_judges(self._worker.state.nthreads, alone=False)  # a machine may have several workers
        options = replace(order.options, grant=grant)
        return self._judges, self._judges.start(self._assignment, order.submission, options)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._left:
            self._running += 1
        try:
            yield
        finally:
            with self._left:
                self._running, self._last = self._running - 1, time.monotonic()
                self._left.notify_all()

    @contextmanager
    def _gpu(self, order: Order) -> Iterator[Grant | None]:
        """Give one of our GPUs, or a share of one, to an attempt that needs it; Dask sends no more at a time."""
        grant = None
        if order.device == "cuda":
            with suppress(queue.Empty):
                grant = self._free_gpus.get_nowait()
        try:
            yield grant
        finally:
            if grant is not None:
                self._free_gpus.put(grant)

    def _close_if_idle(self) -> None:
        with self._left:
            idle = self._running == 0
        if idle:
            self._close()

    def _close(self) -> None:
        with self._left:
            self._left.wait_for(lambda: self._running == 0, _LEAVING_S)
        if self._judges is not None:
            self._judges.close()
            self._judges = None
            # Boxes of another course on this worker are forked from the same zygotes.
            if not any(isinstance(one, Attempts) and one is not self for one in self._worker.plugins.values()):
                close_zygotes()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _gpus(declared: int) -> queue.SimpleQueue[Grant]:
    """Return a grant for each GPU that a worker has declared; where it has fewer, attempts share them."""
    free: queue.SimpleQueue[Grant] = queue.SimpleQueue()
    library = nvml() if declared else None
    if library is not None and (gpus := allowed(library.gpus(), os.environ.get("CUDA_VISIBLE_DEVICES"))):
        for grant in slots(gpus, -(-declared // len(gpus)))[:declared]:
            free.put(grant)
    return free
