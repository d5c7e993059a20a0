"""Judges for many attempts: several at a time, each in a process of its own, warm where this system can fork.

    with open_judges(4) as judges:
        pending = judges.start(assignment, submission, options)
        judges.wait([pending])
        report = pending.result()

Two kinds behind one interface. Warm ones (Linux, `warm`) are forked from a process that has pytest and the assignment's
checks loaded. Cold ones (anywhere) run `run_attempt` in spawned processes, which load them for each attempt.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from autograder.box import cores, zygotes
from autograder.course import LoadedAssignment
from autograder.errors import InternalError
from autograder.judge.attempt import run_attempt
from autograder.judge.listener import Listener
from autograder.judge.options import AttemptOptions
from autograder.messages import Language, language, set_language, text
from autograder.results import Report
from autograder.submission import Submission

_TERMINATED = 128 + signal.SIGTERM
_CLOSES_S = 10.0  # what an attempt may take to close its boxes


class JudgeDied(InternalError):
    """A judge ended without an answer: killed, or crashed. The submission can be tried again."""


class Pending(ABC):
    """An attempt that has been started."""

    where = ""
    """Who makes it, where that is not this machine and is known."""
    host = ""
    """The machine that it was made on; empty: this one."""

    @abstractmethod
    def result(self) -> Report:
        """Return the report, once it has ended; wait until then.

        Raises:
            GradeError: as `run_attempt` does.
            OSError: the same.
            JudgeDied: its judge has ended without an answer.
        """


class Refused(Pending):
    """An attempt that could not be started."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def result(self) -> Report:
        """Raise why."""
        raise self._error


class Judges(ABC):
    """Makes attempts in processes of its own. A context manager: what still runs at the end is interrupted."""

    @abstractmethod
    def start(self, assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Pending:
        """Start an attempt and return at once; what is wrong is told by its result.

        Args:
            assignment: what is checked. Warm judges read its checks once.
            submission: what was handed in.
            options: how; of the listener, only `notice` is called.
        """

    @abstractmethod
    def wait(self, pending: Collection[Pending], timeout_s: float | None = None) -> list[Pending]:
        """Wait until at least one of the attempts has ended, or the time is over; return those that have."""

    @abstractmethod
    def close(self) -> None:
        """Interrupt what still runs, wait until no box of it is left, and let go of everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_judges(at_once: int, *, warm: bool = True, alone: bool = True) -> Judges:
    """Return judges for so many attempts at a time.

    Args:
        at_once: how many will be started before one of them has ended.
        warm: forked from a process that is warm, where this system can do that.
        alone: no other command's attempts run beside them, so that cores beyond so many are idle.
    """
    if warm and sys.platform == "linux":  # a fork is unsafe on macOS, once a system library has been used
        from autograder.judge.warm import WarmJudges

        return WarmJudges(at_once if alone else None)
    return ColdJudges(at_once)


def one_per_core() -> int:
    """Return how many attempts at a time there are where nobody says: one for each core that we can keep busy."""
    return cores.usable()


class ColdPending(Pending):
    """An attempt in a spawned process."""

    def __init__(self, future: Future[Report]) -> None:
        self.future = future

    def result(self) -> Report:
        """Return the report."""
        try:
            return self.future.result()
        except concurrent.futures.BrokenExecutor as error:
            raise JudgeDied(text("judge.died", problem=error)) from None


class ColdJudges(Judges):
    """Spawned processes, each of which makes one attempt after the other: pytest can't run twice at a time in one.

    Spawned, not forked: a fork would inherit this process's threads' locks.
    """

    def __init__(self, at_once: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(at_once, spawn, _begin_worker, (language(),))
        self._running: list[Future[Report]] = []

    def start(self, assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Pending:
        """Start an attempt, as soon as a process is free."""
        self._running = [one for one in self._running if not one.done()]
        silent = replace(options, listener=Listener())
        with _ignoring_interrupts():  # inherited by the processes, which are started here
            future = self._executor.submit(_run, assignment, submission, silent)
        self._running.append(future)
        return ColdPending(future)

    def wait(self, pending: Collection[Pending], timeout_s: float | None = None) -> list[Pending]:
        """Wait for the first to end."""
        futures = {one.future: one for one in pending if isinstance(one, ColdPending)}
        done = concurrent.futures.wait(futures, timeout_s, concurrent.futures.FIRST_COMPLETED).done
        return [futures[future] for future in done]

    def close(self) -> None:
        """End the processes; SIGTERM has those that are in an attempt close their boxes first."""
        interrupted = not all(one.done() for one in self._running)
        if interrupted:
            for process in multiprocessing.active_children():
                process.terminate()
        self._executor.shutdown(wait=not interrupted, cancel_futures=True)


def _run(assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Report:
    idle = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return run_attempt(assignment, submission, options)
    except KeyboardInterrupt:
        # The boxes are closed. Raised further, the pool would take it for this attempt's result and give the next one.
        os._exit(_TERMINATED)
    finally:
        signal.signal(signal.SIGTERM, idle)


def _interrupt(_signal: int, _frame: object) -> None:
    # Once: a pool that has lost another process sends it again, which would end the closing of the boxes.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt  # not SystemExit: pytest would take that for the result of the check that runs


def _leave(_signal: int, _frame: object) -> None:
    # Nothing is raised: the second SIGTERM of such a pool would come while Python ends, and be shown.
    zygotes.close_zygotes()
    os._exit(_TERMINATED)


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin_worker(chosen: Language) -> None:
    set_language(chosen)
    # Ctrl-C goes to the whole process group; the parent answers it for all, by SIGTERM. (Windows inherits nothing.)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """End this process where its parent was killed: the pool's queue, both ends of which are held here, never ends."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_CLOSES_S)
    os._exit(_TERMINATED)  # boxes end with their judge
