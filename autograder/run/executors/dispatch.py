"""Judges that are a cluster's: attempts go out as Dask's tasks, and come back as reports.

Which worker makes an attempt is Dask's business, within the places that `worker.Attempts` has declared. When a worker
dies, Dask gives its tasks to others; what one attempt has killed too many workers with is given up (KilledWorker).
Nothing is recorded on the way: an attempt has one task, a task one result, and only `run.grading` writes to the ledger.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import dask
from distributed import Client, Future, KilledWorker

from autograder.course import LoadedAssignment
from autograder.errors import GradeError, InternalError, UsageError
from autograder.judge import orders
from autograder.judge.judges import JudgeDied, Judges, Pending
from autograder.judge.options import AttemptOptions
from autograder.messages import text
from autograder.results import Report
from autograder.run.executors import Notice
from autograder.run.executors.freight import (
    Began,
    Came,
    bundle_of,
    decoded,
    encoded,
    order_for,
    run_name,
    shown_name,
)
from autograder.run.executors.worker import GPU, Attempts, attempt
from autograder.submission import Submission

_LOOK_S = 1.0  # between two looks whether the scheduler is there
_LOOK_FOR_WORKERS_S = 5.0
_NO_WORKER_S = 600.0  # without any, before the run is given up: a job's successor has to come through a queue first
_ENDING_S = 30.0  # for the workers to end their judges


class ClusterLost(UsageError):
    """The scheduler is gone, or all workers are. What was graded is recorded; the next run goes on."""


@dataclass(eq=False)
class ClusterPending(Pending):
    """An attempt that a cluster has been asked for."""

    future: Future
    number: int
    name: str
    """The submission's."""
    where: str = ""
    """The worker that makes it; empty before it has begun."""
    host: str = ""
    """The machine that it was made on, once it has ended."""

    def result(self) -> Report:
        """Return the report, as it is read from the bytes that came."""
        try:
            message: bytes = self.future.result()
        except KilledWorker as error:
            raise JudgeDied(text("cluster.killed", worker=shown_name(error.last_worker.name))) from None
        except Exception as error:  # noqa: BLE001 - whatever Dask raises, or the worker could not import
            raise InternalError(text("cluster.failed", problem=f"{type(error).__name__}: {error}")) from None
        came = decoded(message, Came)
        self.host = came.host
        report = orders.report_in(came.answer)
        if report is None:
            raise InternalError(text("cluster.garbled", problem=self.name))
        return report


@dataclass
class Places:
    """Where a run's attempts go."""

    client: Client
    resource: str
    """What workers that make such attempts have for each that they have room for."""
    question: bytes
    notice: Notice = field(repr=False)


class ClusterJudges(Judges):
    """Judges of a cluster's workers.

    Args:
        places: where the attempts go.
        assignment: what is checked; one for a run.
    """

    def __init__(self, places: Places, assignment: LoadedAssignment) -> None:
        self._places, self._client = places, places.client
        self._run, self._topic = run_name(assignment), f"grade-{uuid.uuid4()}"
        self._running: dict[int, ClusterPending] = {}
        self._news = threading.Event()
        self._looked, self._seen = time.monotonic(), time.monotonic()
        bundle = bundle_of(assignment)
        self._bundle_sha256, self._started = bundle.sha256, 0
        self._client.subscribe_topic(self._topic, self._began)
        self._client.register_plugin(Attempts(self._run, places.question, encoded(bundle), self._topic))

    def start(self, assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Pending:  # noqa: ARG002
        """Hand an attempt over to Dask."""
        self._require_scheduler()
        self._started += 1
        # A GPU is for submissions that could use one. Others stay off it, on workers with one, too.
        needs_gpu = options.device == "cuda" and bool(submission.frameworks)
        order = order_for(self._started, self._bundle_sha256, submission, options, "cuda" if needs_gpu else "cpu")
        # A submission may be larger than what Dask thinks fit for a task; there is one for each, so it goes with it.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            future = self._client.submit(
                attempt,
                self._run,
                encoded(order),
                key=f"{self._topic}-{self._started}",
                resources={self._places.resource: 1, **({GPU: 1} if needs_gpu else {})},
            )
        pending = self._running[self._started] = ClusterPending(future, self._started, submission.name)
        future.add_done_callback(lambda _: self._news.set())
        return pending

    def wait(self, pending: Collection[Pending], timeout_s: float | None = None) -> list[Pending]:
        """Wait for the first to end; sooner where there is news of who makes one."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._news.clear()
            ended = [one for one in pending if isinstance(one, ClusterPending) and one.future.done()]
            self._require_scheduler()  # without one all have "ended"
            if ended or not pending or (deadline is not None and time.monotonic() >= deadline):
                for one in ended:  # let go of by whoever takes its result, it is let go of by Dask
                    self._running.pop(one.number, None)
                return list(ended)
            self._look_for_workers()
            if self._news.wait(_LOOK_S) and not any(one.future.done() for one in self._running.values()):
                return []

    def close(self) -> None:
        """Have the workers end their judges, and remove the checks from their disks."""
        with suppress(Exception):  # whatever a cluster that is gone does; there is nothing left to do about it
            self._client.unsubscribe_topic(self._topic)
            self._client.cancel([one.future for one in self._running.values()], force=True)
            leave = self._client.scheduler.unregister_worker_plugin
            self._client.sync(leave, name=self._run, callback_timeout=_ENDING_S)
        self._running.clear()

    def _began(self, event: tuple[float, Any]) -> None:
        """Note which worker makes an attempt; on Dask's thread."""
        with suppress(GradeError):
            began = decoded(event[1], Began)
            pending = self._running.get(began.number)
            if pending is None or pending.where == began.worker:
                return
            if pending.where:
                self._places.notice(text("cluster.moved", name=pending.name, gone=pending.where, to=began.worker))
            pending.where = began.worker
            self._news.set()

    def _require_scheduler(self) -> None:
        if self._client.status != "running":
            raise ClusterLost(text("cluster.lost"), hint=text("cluster.lost_hint"))

    def _look_for_workers(self) -> None:
        """Give up where there has been no worker for long: a cluster may be ended while a run waits for it."""
        now = time.monotonic()
        if now - self._looked < _LOOK_FOR_WORKERS_S:
            return
        self._looked = now
        workers = self._client.scheduler_info()["workers"].values()
        if any(worker["resources"].get(self._places.resource, 0) for worker in workers):
            self._seen = now
        elif now - self._seen > _NO_WORKER_S:
            raise ClusterLost(text("cluster.no_worker_left"), hint=text("cluster.lost_hint"))
        elif now - self._seen < 2 * _LOOK_FOR_WORKERS_S:
            self._places.notice(text("cluster.waiting_again"))
