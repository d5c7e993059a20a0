"""What is to be done: for each submission that counts or may count, nothing, scoring anew, or an attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from sqlalchemy.orm import Session

from autograder.collect.store import Store
from autograder.course import LoadedAssignment
from autograder.errors import GradeError, InternalError, UsageError
from autograder.judge.options import AttemptOptions
from autograder.ledger.records import HandedIn, Tried, attempts_at
from autograder.messages import joined, remembering
from autograder.run.keys import Conditions, Key, conditions_of
from autograder.run.suite import Suite, suite_of
from autograder.run.taking_over import known_checks
from autograder.submission import Submission, from_files

Task = Literal["known", "score", "run", "unreadable"]


_NO_SUITE = Suite({})


class Chosen(NamedTuple):
    """Which submissions are meant; nothing said: all."""

    students: tuple[str, ...] = ()
    where: str = ""
    sample: int | None = None
    again: bool = False
    """Run, too, what is known."""


@dataclass(frozen=True, eq=False)  # each is one of a kind
class Work:
    """One submission, and what is to be done with it."""

    task: Task
    row: HandedIn
    students: tuple[str, ...]
    key: Key
    attempt: Tried | None = None
    """The one that is known, or to be scored anew, or that other checks' results are taken over from."""
    checks: frozenset[str] = frozenset()
    """The functions to run; none: all."""
    suite: Suite = _NO_SUITE
    """What each check hangs on, as it is now."""
    problem: str = ""
    """Why it can't be checked at all: there is no code in it, or several files that could be meant."""
    lost: bool = False
    """The store has not what it had, or we can't read it, which is our fault and not the student's."""
    expected_s: float = 0.0
    """How long the last attempt took; longest first keeps all cores busy to the end."""


@dataclass(frozen=True)
class Planner:
    """Finds out what is to be done.

    Args:
        store: of the files.
        assignment: what is checked.
        options: how attempts are made.
        isolation: of the boxes.
        versions: that numbers hang on, where they are made; None: they are made here.
    """

    store: Store
    assignment: LoadedAssignment
    options: AttemptOptions
    isolation: str
    versions: Mapping[str, str] | None = None

    def plan(
        self, session: Session, rows: Mapping[int, tuple[HandedIn, tuple[str, ...]]], *, again: bool = False
    ) -> list[Work]:
        """Return what is to be done, the longest first.

        Args:
            session: of the ledger.
            rows: submissions by their numbers, with whose they are.
            again: run, too, what is known.
        """
        known = attempts_at(session, self.assignment.id)
        works = [self._work(row, students, known.get(row.id, []), again=again) for row, students in rows.values()]
        known_here = {} if again else known
        works = self._without_what_stands(session, works, known_here)
        return sorted(works, key=lambda work: (-work.expected_s, work.row.id))

    def _without_what_stands(
        self, session: Session, works: Sequence[Work], known: Mapping[int, Sequence[Tried]]
    ) -> list[Work]:
        """Leave out of what is to be run the checks whose results in the newest attempt still stand."""
        newest = {work.row.id: known[work.row.id][0] for work in works if work.task == "run" and work.row.id in known}
        checks = known_checks(session, (tried.id for tried in newest.values()))
        return [self._partly(work, newest.get(work.row.id), checks) for work in works]

    def _partly(self, work: Work, newest: Tried | None, checks: Mapping[int, Mapping[str, str]]) -> Work:
        if work.task not in {"run", "score"}:
            return work
        work = replace(work, suite=self._suite)
        # Results are taken over as they were scored: not by other thresholds than today's.
        if newest is None or newest.key != str(Key(newest.measured, work.key.scored)):
            return work
        known, all_ = checks.get(newest.id, {}), self._suite.units.keys()
        to_run = self._suite.to_run(known)
        if not to_run and known and known.keys() == all_:
            return replace(work, task="score", attempt=newest)  # nothing but a comment was changed
        return replace(work, attempt=newest, checks=to_run) if to_run and to_run != all_ else work

    @cached_property
    def _suite(self) -> Suite:
        """The checks, and what each hangs on."""
        return suite_of(self.assignment, self._conditions.common)

    @cached_property
    def _conditions(self) -> Conditions:
        return conditions_of(self.assignment, self.options, self.isolation, self.versions)

    def _work(self, row: HandedIn, students: tuple[str, ...], known: Sequence[Tried], *, again: bool) -> Work:
        key = self._conditions.key(row.sha256)
        took_s = max((attempt.duration_s for attempt in known), default=0.0)
        # The newest counts: an older one with this key is recorded once more, as one that was scored anew.
        if known and known[0].key == str(key) and not again:
            return Work("known", row, students, key, known[0], expected_s=took_s)
        for attempt in known:
            if attempt.measured == key.measured and not again:
                return Work("score", row, students, key, attempt, expected_s=took_s)
        with remembering():  # why is recorded, and asked for in another language later
            try:
                read_submission(self.store, row, self.assignment)
            except GradeError as error:
                lost = not isinstance(error, UsageError)
                return Work("unreadable", row, students, key, problem=told(error), lost=lost)
        return Work("run", row, students, key, expected_s=took_s)


def read_submission(store: Store, row: HandedIn, assignment: LoadedAssignment) -> Submission:
    """Read what was handed in: when it is run, and not before, as a class's files may not fit into memory.

    Raises:
        UsageError: it can't be checked at all.
        GradeError: the store has not what it had, or our own code breaks on it.
    """
    try:
        return from_files(store.files(row.sha256), assignment, row.name, None)
    except GradeError:
        raise
    # SECURITY: broad, for the files are a student's: whatever they make our own code raise is the end of this one's
    # attempt, and not of the whole class's, neither while it is planned nor while it runs.
    except Exception as error:
        raise InternalError(f"{type(error).__name__}: {error}") from error


def told(error: GradeError) -> str:
    """Return an error in one line."""
    return joined(error.message, error.hint)
