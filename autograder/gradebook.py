"""The instructor's side of a course: its ledger, read and written by the course's rules.

One object for all commands about the class, so that each of them is one call. Who writes and when is noted with each
row. What only some commands need (taking work in, making attempts) is imported by them: `grade status` needs neither.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from autograder.collect.store import Store
from autograder.course import LoadedAssignment, LoadedCourse, find_course
from autograder.errors import UsageError
from autograder.late_policy import days_late, deadline_of
from autograder.messages import text
from autograder.roster import Change, Person, changes

try:
    from filelock import FileLock, Timeout

    from autograder.ledger import people, upkeep
    from autograder.ledger.database import FOLDER, Ledger
    from autograder.ledger.grades import (
        Grade,
        Rules,
        extensions,
        facts_of,
        given_to,
        grades,
        grades_of,
        owners,
        tasks_of,
        to_grade,
        unclaimed,
    )
    from autograder.ledger.history import Entry, history_of
    from autograder.ledger.models import SubmissionRow
    from autograder.ledger.records import record_unreadable
    from autograder.ledger.refusals import Refusal, still_refused
    from autograder.ledger.standing import Standing, standing_of
except ModuleNotFoundError as missing:  # a student's install has none of this
    raise UsageError(text("class.missing", package=missing.name), hint=text("class.missing_hint")) from None

if TYPE_CHECKING:
    from autograder.collect.collecting import Collected
    from autograder.collect.opening import Wanted
    from autograder.collect.post import Posted
    from autograder.collect.receipts import Receipt
    from autograder.judge.options import AttemptOptions
    from autograder.run.executors import Executor
    from autograder.run.grading import Done, Tell
    from autograder.run.planning import Chosen, Work
    from autograder.run.where import Term


class Gradebook:
    """A course with its ledger.

    Args:
        course: whose rules are in force.
        ledger: of the course.
    """

    def __init__(self, course: LoadedCourse, ledger: Ledger) -> None:
        self.course, self.ledger = course, ledger
        self.store = Store(ledger.folder / "store")
        self.zone = ZoneInfo(course.spec.timezone)

    def author(self) -> people.Author:
        """Return who is writing now."""
        return people.Author(os.environ.get("GRADE_WHO") or getpass.getuser(), people.now())

    def moment(self, said: datetime) -> datetime:
        """Return a moment that somebody named; without a zone it is by the course's clock."""
        return said if said.tzinfo else said.replace(tzinfo=self.zone)

    # --- roster

    def compare_roster(self, persons: Sequence[Person], *, add_only: bool = False) -> list[Change]:
        """Return what a roster would change."""
        with self.ledger.reading() as session:
            return changes(people.known_students(session, self.zone), persons, add_only=add_only)

    def apply_roster(self, persons: Sequence[Person], *, add_only: bool = False) -> list[Change]:
        """Bring the students in step with a roster; with `add_only`, of a part of the class.

        Raises:
            UsageError: two students would share a mail address.
        """
        with self.ledger.writing() as session:
            return people.apply(session, persons, self.author(), self.zone, add_only=add_only)

    def students(self, section: str | None = None) -> list[people.StudentRow]:
        """Return the students, of one section or all."""
        with self.ledger.reading() as session:
            return people.student_rows(session, section)

    # --- submissions

    def collect(
        self, assignment_id: str, said: str, received: datetime | None, tell: Callable[[Collected], None]
    ) -> list[Collected]:
        """Take what students handed in.

        Args:
            assignment_id: for what.
            said: from where: a folder, a .zip of everybody's work, or a source's address.
            received: when all of it came; without a zone by the course's clock. None: when each file was changed last.
            tell: called with each thing that was found.

        Raises:
            UsageError: no such assignment, nobody in the roster, or nothing there.
        """
        from autograder.collect.collecting import Collector
        from autograder.collect.opening import open_named

        assignment = self.course.assignment(assignment_id)
        if not self.students():
            raise UsageError(text("collect.no_roster"), hint=text("class.no_student_hint"))
        at = self.moment(received) if received else None
        source = open_named(said, self._wanted(assignment.id, at))
        found = Collector(self.ledger, self.store, assignment.id, self.author(), at).collect(source, tell)
        return self._with_lateness(found, assignment.id)

    def _wanted(self, assignment_id: str, at: datetime | None) -> Wanted:
        from autograder.collect.collecting import matched_students
        from autograder.collect.opening import Wanted

        due = self.course.spec.due(assignment_id)
        with self.ledger.reading() as session:
            known, extended = matched_students(session), extensions(session)
        deadlines = {
            one.id: deadline_of(due, given_to(one.id, assignment_id, extended)) for one in known if due is not None
        }
        return Wanted(self.course, assignment_id, self.zone, known, deadlines, self.ledger.folder, at)

    def _with_lateness(self, found: Sequence[Collected], assignment_id: str) -> list[Collected]:
        due, policy = self.course.spec.due(assignment_id), self.course.spec.late_policy(assignment_id)
        if due is None:
            return list(found)
        with self.ledger.reading() as session:
            extended = extensions(session)
        made: list[Collected] = []
        for one in found:
            deadlines = [deadline_of(due, given_to(who, assignment_id, extended)) for who in one.students]
            late = [days_late(one.received, deadline, policy.grace_min) for deadline in deadlines if one.received]
            made.append(replace(one, days_late=max(late, default=0)))
        return made

    def assign(self, number: int, students: Sequence[str]) -> tuple[list[str], list[str]]:
        """Say whose a submission is; of nobody: it is set aside. Returns whose it is, and whose it was until now.

        Raises:
            UsageError: no such submission or student.
        """
        from autograder.collect.collecting import assign

        with self.ledger.writing() as session:
            submission = session.get(SubmissionRow, number)
            if submission is None:
                raise UsageError(text("collect.no_submission", number=number), hint=text("collect.no_submission_hint"))
            found = [people.require_student(session, one) for one in students]
            word = owners(session, [number]).get(number)
            before = sorted(one.student_id for one in word.students) if word else []
            assign(session, submission, found, self.author())
            return [student.id for student in found], before

    def unclaimed(self, assignment_id: str) -> list[SubmissionRow]:
        """Return the submissions that nobody was recognised for."""
        with self.ledger.reading() as session:
            return unclaimed(session, assignment_id)

    def receipts(self, assignment_id: str) -> list[Receipt]:
        """Return what students are told about what they handed in."""
        from autograder.collect.receipts import ReceiptBook

        assignment = self.course.assignment(assignment_id)
        with self.ledger.reading() as session:
            return ReceiptBook(self.course, self.store, self.zone).receipts(session, assignment.id)

    def send_receipts(self, assignment_id: str) -> list[Posted]:
        """Mail the receipts that were not sent before, as many as the quota allows.

        Raises:
            UsageError: no mail server is named, or it can't be reached.
        """
        from autograder.collect.post import send, sending

        with sending(self.ledger):
            receipts = self.receipts(assignment_id)
            return send(self.ledger, receipts, self.course.spec.mail, self.course.folder, self.author)

    def receipts_due(self, assignment_id: str) -> list[Posted]:
        """Return what `send_receipts` would do."""
        from autograder.collect.post import would_send

        return would_send(self.ledger, self.receipts(assignment_id), self.course.spec.mail)

    def still_refused(self) -> list[Refusal]:
        """Return what could not be taken and is still missed."""
        with self.ledger.reading() as session:
            return still_refused(session)

    # --- grading

    def rules(self) -> list[Rules]:
        """Return what course.yml says of each assignment that is here."""
        here = self.course.assignment_folders()
        return [
            Rules(
                entry.id,
                self.course.spec.due(entry.id),
                self.course.assignment(entry.id).spec.points,
                self.course.spec.late_policy(entry.id),
            )
            for entry in self.course.spec.assignments
            if entry.id in here
        ]

    def grades(self) -> dict[str, list[Grade]]:
        """Return what is in force for every student, by assignment."""
        with self.ledger.reading() as session:
            return grades(session, self.rules())

    def plan(
        self,
        assignment: LoadedAssignment,
        chosen: Chosen,
        options: AttemptOptions,
        isolation: str,
        versions: Mapping[str, str] | None = None,
    ) -> list[Work]:
        """Return what a run is to do.

        Args:
            assignment: to be graded.
            chosen: which of the submissions.
            options: how attempts are made.
            isolation: of their boxes.
            versions: that numbers hang on, where they are made; None: they are made here.

        Raises:
            UsageError: no such student, or a condition that can't be understood.
        """
        from autograder.run.planning import Planner
        from autograder.run.where import parse

        with self.ledger.reading() as session:
            rules = self.rules()
            rows = to_grade(session, rules, assignment.id)
            if chosen.students:
                wanted = {people.require_student(session, one).id for one in chosen.students}
                rows = {number: row for number, row in rows.items() if wanted & set(row[1])}
            if chosen.where:
                holding = self._holding(grades_of(session, rules, assignment.id), parse(chosen.where))
                rows = {number: row for number, row in rows.items() if holding & set(row[1])}
            # By chance, but always the same: thresholds are tried out on one sample.
            numbers = sorted(rows, key=lambda number: rows[number][0].sha256)[: chosen.sample]
            owned = {number: (rows[number][0], tuple(rows[number][1])) for number in numbers}
            return Planner(self.store, assignment, options, isolation, versions).plan(
                session, owned, again=chosen.again
            )

    def _holding(self, found: Sequence[Grade], terms: Sequence[Term]) -> set[str]:
        return {grade.student.id for grade in found if all(term.holds(facts_of(grade)) for term in terms)}

    @contextmanager
    def grading(self) -> Iterator[None]:
        """Be the only one who grades: from before it is planned, or what another has just graded is graded twice.

        Raises:
            UsageError: somebody else is grading.
        """
        lock = FileLock(self.ledger.folder / "run.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(text("run.already"), hint=text("run.already_hint")) from None
        try:
            yield
        finally:
            lock.release()

    def run(  # noqa: PLR0913 - what a run is made of
        self,
        assignment: LoadedAssignment,
        works: Sequence[Work],
        options: AttemptOptions,
        jobs: int,
        tell: Tell,
        *,
        executor: Executor | None = None,
    ) -> list[Done]:
        """Grade, within `grading`, and record what comes of it; on this machine, unless an executor is given."""
        from autograder.run.grading import Grader
        from autograder.run.room import room_for

        why = {work.row.id: work.problem for work in works if work.task == "unreadable" and not work.lost}
        with self.ledger.writing() as session:
            record_unreadable(session, why, socket.gethostname(), people.now())
        room = executor.room(assignment, options, jobs) if executor else room_for(assignment, options, jobs)
        grader = Grader(self.ledger, self.store, assignment, options, jobs, room=room, executor=executor)
        return grader.grade(works, tell)

    # --- what it comes to

    def standing(self) -> list[Standing]:
        """Return the course at a glance."""
        with self.ledger.reading() as session:
            rules = self.rules()
            found = grades(session, rules)
            return [standing_of(session, rule, found[rule.assignment], self.zone) for rule in rules]

    def export_rows(self, assignment: LoadedAssignment, *, anonymous: bool = False) -> list[dict[str, object]]:
        """Return a row for each student: who, what it came to, and the points of each task.

        Raises:
            UsageError: there is nobody in the roster.
        """
        from autograder.report.grades import grade_row

        with self.ledger.reading() as session:
            found = grades_of(session, self.rules(), assignment.id)
            earned = tasks_of(session, assignment.id, found)
        here = [grade for grade in found if not grade.student.left]
        if not here:
            raise UsageError(text("export.no_roster"), hint=text("class.no_student_hint"))
        tasks = dict.fromkeys((task.id for task in assignment.spec.tasks), 0.0)
        return [grade_row(one, tasks | earned.get(one.student.id, {}), anonymous=anonymous) for one in here]

    # --- upkeep

    def problems(self) -> list[str]:
        """Return what is wrong with the ledger."""
        return upkeep.problems_of(self.ledger)

    def back_up(self, to: Path) -> None:
        """Copy the ledger."""
        upkeep.back_up(self.ledger, to)

    def log(self, student: str) -> list[Entry]:
        """Return everything about a student, by the course's clock.

        Raises:
            UsageError: there is no such student.
        """
        with self.ledger.reading() as session:
            return history_of(session, people.require_student(session, student).id, self.zone)


@contextmanager
def open_gradebook(start: Path) -> Iterator[Gradebook]:
    """Open the ledger of the course that a folder is in; a new one where there is none yet.

    Raises:
        UsageError: no course, or a ledger that can't be read.
    """
    course = find_course(start)
    with Ledger(course.folder / FOLDER) as ledger:
        yield Gradebook(course, ledger)
