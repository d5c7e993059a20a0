"""Making the attempts: several at a time, each recorded when it ends; our own faults once more, alone, at the end."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from autograder.course import LoadedAssignment
from autograder.errors import GradeError
from autograder.judge.judges import Judges, Pending, open_judges
from autograder.judge.session import AttemptOptions
from autograder.ledger.database import Ledger
from autograder.ledger.models import Attempt
from autograder.ledger.records import Circumstances, record, report_of
from autograder.results import Report, Status
from autograder.run.keys import assignment_sha256
from autograder.run.planning import Work
from autograder.run.rescoring import rescored

Ended = Literal["known", "scored", "graded", "internal", "unreadable"]


@dataclass(frozen=True)
class Done:
    """What became of one submission."""

    ended: Ended
    work: Work
    report: Report | None = None
    problem: str = ""


class Tell:
    """Told how it goes; this one says nothing."""

    def started(self, work: Work) -> None:
        """An attempt begins."""

    def done(self, done: Done) -> None:
        """Something is done."""


@dataclass(frozen=True)
class Grader:
    """Grades the submissions of one assignment.

    Args:
        ledger: what comes of it is recorded in.
        assignment: what is checked.
        options: how.
        jobs: attempts at a time.
        warm: judges that are forked, where this system can.
    """

    ledger: Ledger
    assignment: LoadedAssignment
    options: AttemptOptions
    jobs: int
    warm: bool = True

    def grade(self, works: Iterable[Work], tell: Tell) -> list[Done]:
        """Do what is to be done.

        Interrupted at any moment, whatever was told is recorded, and nothing is recorded twice.
        """
        done: list[Done] = []
        to_run: deque[Work] = deque()
        for work in works:
            if work.task == "run":
                to_run.append(work)
            else:
                done.append(self._without_running(work))
                tell.done(done[-1])
        if to_run:
            with open_judges(self.jobs, warm=self.warm) as judges:
                ended, faults = self._run_all(judges, to_run, self.jobs, tell)
                done += ended
                # Once more, with nothing beside it: what went wrong may have been the crowd.
                again, still = self._run_all(judges, deque(faults), 1, tell, last=True)
                done += again + [Done("internal", work, problem=problem) for work, problem in still.items()]
        return done

    def _without_running(self, work: Work) -> Done:
        if work.task == "unreadable":
            return Done("unreadable", work, problem=work.problem)
        with self.ledger.writing() as session:
            attempt = session.get_one(Attempt, work.attempt_id)
            report = report_of(attempt)
            if work.task == "known":
                return Done("known", work, report)
            new = rescored(report, self.assignment)
            record(session, work.row.id, new, self._circumstances(work, attempt.id))
        return Done("scored", work, new)

    def _run_all(
        self, judges: Judges, waiting: deque[Work], at_once: int, tell: Tell, *, last: bool = False
    ) -> tuple[list[Done], dict[Work, str]]:
        """Run what waits; return what is done, and what failed by our own fault with why."""
        running: dict[Pending, Work] = {}
        done: list[Done] = []
        faults: dict[Work, str] = {}
        while waiting or running:
            while waiting and len(running) < at_once:
                work = waiting.popleft()
                tell.started(work)
                assert work.submission is not None  # noqa: S101 - as planned
                running[judges.start(self.assignment, work.submission, self.options)] = work
            for pending in judges.wait(list(running)):
                work = running.pop(pending)
                outcome = self._record(work, pending.result, keep_faults=last)
                if outcome.ended == "internal":
                    faults[work] = outcome.problem
                else:
                    done.append(outcome)
                if outcome.ended != "internal" or last:
                    tell.done(outcome)
        return done, faults

    def _record(self, work: Work, result: Callable[[], Report], *, keep_faults: bool) -> Done:
        try:
            report = result()
        except (GradeError, OSError) as error:
            return Done("internal", work, problem=str(error))
        internal = report.status is Status.INTERNAL
        if not internal or keep_faults:
            with self.ledger.writing() as session:
                record(session, work.row.id, report, self._circumstances(work))
        if internal:
            problem = next((check.message for check in report.checks if check.status is Status.INTERNAL), "")
            return Done("internal", work, report, problem)
        return Done("graded", work, report)

    def _circumstances(self, work: Work, rescored_from: int | None = None) -> Circumstances:
        assert work.key is not None  # noqa: S101 - as planned
        return Circumstances(
            key=str(work.key),
            measured=work.key.measured,
            assignment_sha256=assignment_sha256(self.assignment),
            host=socket.gethostname(),
            limits=self.assignment.limits.model_dump(mode="json"),
            rescored_from=rescored_from,
        )
