"""Making the attempts: several at a time, each recorded when it ends; our own faults once more, alone, at the end."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy.orm import Session

from autograder.collect.store import Store
from autograder.course import LoadedAssignment
from autograder.errors import GradeError, InternalError
from autograder.judge.options import AttemptOptions
from autograder.ledger.database import Ledger
from autograder.ledger.records import Circumstances, Tried, record
from autograder.results import CheckResult, Report, Status
from autograder.run.executors import Executor
from autograder.run.keys import assignment_sha256
from autograder.run.planning import Work, read_submission, told
from autograder.run.rescoring import Anew, Rescorer, in_chunks
from autograder.run.room import Room
from autograder.run.space import recording, require_space
from autograder.run.taking_over import completed, taken_over, with_hashes
from autograder.submission import Submission

if TYPE_CHECKING:
    from autograder.judge.judges import Judges, Pending

Ended = Literal["known", "scored", "graded", "internal", "unreadable"]


class Result(NamedTuple):
    """What an attempt came to."""

    score: float
    max_points: float
    status: str
    duration_s: float


@dataclass(frozen=True)
class Done:
    """What became of one submission."""

    ended: Ended
    work: Work
    result: Result | None = None
    problem: str = ""
    where: str = ""
    """Who made the attempt, where that was not this machine."""


class Tell:
    """Told how it goes; this one says nothing."""

    def started(self, work: Work) -> None:
        """An attempt begins, or waits for a worker."""

    def placed(self, work: Work, where: str) -> None:
        """A worker of a cluster makes it now."""

    def waits(self, why: str) -> None:
        """No other attempt begins for now: why."""

    def done(self, done: Done) -> None:
        """Something is done."""


@dataclass(frozen=True)
class Grader:
    """Grades the submissions of one assignment.

    Args:
        ledger: what comes of it is recorded in.
        store: of the files.
        assignment: what is checked.
        options: how.
        jobs: attempts at a time.
        warm: judges that are forked, where this system can.
        room: of this machine, that attempts may take; without: as if there were no end of it.
        executor: that has the attempts made; None: judges of this machine.
    """

    ledger: Ledger
    store: Store
    assignment: LoadedAssignment
    options: AttemptOptions
    jobs: int
    warm: bool = True
    room: Room = field(default_factory=Room)
    executor: Executor | None = None

    def grade(self, works: Iterable[Work], tell: Tell) -> list[Done]:
        """Do what is to be done.

        Interrupted at any moment, whatever was told is recorded, and nothing is recorded twice.
        """
        done: list[Done] = []
        to_run: deque[Work] = deque()
        to_score: list[Work] = []
        for work in works:
            if work.task == "run":
                to_run.append(work)
            elif work.task == "score":
                to_score.append(work)
            else:
                known = _result(work.attempt) if work.attempt else None
                became: Ended = "known" if known else "internal" if work.lost else "unreadable"
                done.append(Done(became, work, known, work.problem))
                tell.done(done[-1])
        scored, others = self._score_anew(to_score, tell)
        done += scored
        to_run.extend(others)
        if to_run:
            require_space(self.ledger.folder)
            with self._open_judges() as judges:
                ended, faults = self._run_all(judges, to_run, self.jobs, tell)
                done += ended
                # Once more, with nothing beside it: what went wrong may have been the crowd.
                again, still = self._run_all(judges, deque(faults), 1, tell, last=True)
                done += again + [Done("internal", work, problem=problem) for work, problem in still.items()]
        return done

    def _open_judges(self) -> Judges:
        if self.executor:
            return self.executor.open(self.jobs)
        from autograder.judge.judges import open_judges

        return open_judges(self.jobs, warm=self.warm)

    def _score_anew(self, works: Iterable[Work], tell: Tell) -> tuple[list[Done], list[Work]]:
        """Score attempts by the thresholds of today; return what is done, and what has to be run after all."""
        asked = {work.attempt.id: work for work in works if work.attempt is not None}
        done: list[Done] = []
        to_run: list[Work] = []
        rescorer = Rescorer(self.assignment)
        for chunk in in_chunks([Anew(number, self._circumstances(work, number)) for number, work in asked.items()]):
            with recording(self.ledger) as session:
                made = rescorer.record(session, chunk)
            for number, _ in chunk:
                if number in made:
                    done.append(Done("scored", asked[number], Result(*made[number])))
                    tell.done(done[-1])
                else:
                    to_run.append(asked[number])
        return done, to_run

    def _run_all(
        self, judges: Judges, waiting: deque[Work], at_once: int, tell: Tell, *, last: bool = False
    ) -> tuple[list[Done], dict[Work, str]]:
        """Run what waits; return what is done, and what failed by our own fault with why."""
        running: dict[Pending, Work] = {}
        outcomes = _Outcomes(tell, last=last)
        while waiting or running:
            while waiting and len(running) < at_once and self._has_room(len(running), tell):
                work = waiting.popleft()
                submission = self._read(work)
                if isinstance(submission, Done):
                    outcomes.take(submission)
                    continue
                tell.started(work)
                running[self.room.start(judges, self.assignment, submission, self._options_for(work))] = work
            for pending in judges.wait(list(running)):
                work = running.pop(pending)
                self.room.give_back(pending)
                outcomes.take(replace(self._record(work, pending, last=last), where=pending.where))
            for pending, work in running.items():
                if pending.where:
                    tell.placed(work, pending.where)
        return outcomes.done, outcomes.faults

    def _read(self, work: Work) -> Submission | Done:
        """Return what was handed in, or what became of it where it can't be read."""
        try:
            return read_submission(self.store, work.row, self.assignment)
        except InternalError as error:
            return Done("internal", work, problem=told(error))
        except GradeError as error:  # the store is not what it was when this was planned
            return Done("unreadable", work, problem=told(error))

    def _has_room(self, running: int, tell: Tell) -> bool:
        why_not = self.room.why_not(running)
        if why_not:
            tell.waits(why_not)
        return not why_not

    def _record(self, work: Work, pending: Pending, *, last: bool) -> Done:
        try:
            report = pending.result()
        except (GradeError, OSError) as error:
            require_space(self.ledger.folder)
            return Done("internal", work, problem=str(error))
        # Before anything is said of it: without room on the disk a student's code fails, and so do we.
        require_space(self.ledger.folder)
        internal = report.status is Status.INTERNAL
        problem = next((check.message for check in report.checks if _is_doubtful(check)), "")
        if problem and not last:
            return Done("internal", work, _result(report), problem)
        with recording(self.ledger) as session:
            report = self._completed(session, work, with_hashes(report, work.suite))
            record(session, work.row.id, report, self._circumstances(work, host=pending.host))
        return Done("internal" if internal else "graded", work, _result(report), problem if internal else "")

    def _options_for(self, work: Work) -> AttemptOptions:
        return replace(self.options, checks=tuple(sorted(work.checks))) if work.checks else self.options

    def _completed(self, session: Session, work: Work, report: Report) -> Report:
        """Return the report with the results that were taken over, where not everything was run."""
        if not work.checks or work.attempt is None:
            return report
        return completed(report, taken_over(session, work.attempt.id, work.checks), work.suite)

    @cached_property
    def _assignment_sha256(self) -> str:
        return assignment_sha256(self.assignment)

    @cached_property
    def _limits(self) -> dict[str, Any]:
        return self.assignment.limits.model_dump(mode="json")

    def _circumstances(self, work: Work, rescored_from: int | None = None, *, host: str = "") -> Circumstances:
        return Circumstances(
            key=str(work.key),
            measured=work.key.measured,
            assignment_sha256=self._assignment_sha256,
            host=host or socket.gethostname(),
            limits=self._limits,
            rescored_from=rescored_from,
        )


class _Outcomes:
    """What comes of attempts: what is done, and by what each failed that is our own fault.

    Args:
        tell: is told of what is done, and of faults that are not tried again.
        last: none is.
    """

    def __init__(self, tell: Tell, *, last: bool) -> None:
        self.done: list[Done] = []
        self.faults: dict[Work, str] = {}
        self._tell, self._last = tell, last

    def take(self, outcome: Done) -> None:
        """Take one."""
        is_fault = outcome.ended == "internal"
        if is_fault:
            self.faults[outcome.work] = outcome.problem
        else:
            self.done.append(outcome)
        if self._last or not is_fault:
            self._tell.done(outcome)


def _is_doubtful(check: CheckResult) -> bool:
    """Whether it may be our fault: so it is, or its box was killed, and by whom the kernel does not say.

    A student's code that kills itself does so again; a system that was out of memory is not, with nothing beside it.
    """
    return check.status is Status.INTERNAL or check.killed


def _result(attempt: Report | Tried) -> Result:
    return Result(attempt.score, attempt.max_points, str(attempt.status), attempt.duration_s)
