"""The instructor's side of a course: its ledger, read and written by the course's rules.

One object for all commands about the class, so that each of them is one call. Who writes and when is noted with each
row.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from autograder.collect.folder import open_source
from autograder.collect.store import Store
from autograder.course import LoadedCourse, find_course
from autograder.errors import UsageError
from autograder.messages import text
from autograder.roster import Change, Person, changes

try:
    from sqlalchemy import select

    from autograder.collect.collecting import Collected, Collector, assign
    from autograder.ledger import people, upkeep
    from autograder.ledger.database import FOLDER, Ledger
    from autograder.ledger.grades import owners
    from autograder.ledger.history import Entry, history_of
    from autograder.ledger.models import Student, SubmissionRow
except ModuleNotFoundError as missing:  # a student's install has none of this
    raise UsageError(text("class.missing", package=missing.name), hint=text("class.missing_hint")) from None


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

    # --- roster

    def compare_roster(self, persons: Sequence[Person]) -> list[Change]:
        """Return what a roster would change."""
        with self.ledger.reading() as session:
            return changes(people.known_students(session, self.zone), persons)

    def apply_roster(self, persons: Sequence[Person]) -> list[Change]:
        """Bring the students in step with a roster.

        Raises:
            UsageError: two students would share a mail address.
        """
        with self.ledger.writing() as session:
            return people.apply(session, persons, self.author(), self.zone)

    def students(self, section: str | None = None) -> list[people.StudentRow]:
        """Return the students, of one section or all."""
        asked = select(Student).order_by(Student.left, Student.section, Student.id)
        with self.ledger.reading() as session:
            found = session.scalars(asked if section is None else asked.where(Student.section == section))
            return [people.StudentRow(*(getattr(one, name) for name in people.StudentRow._fields)) for one in found]

    # --- submissions

    def collect(
        self, assignment_id: str, path: Path, received: datetime | None, tell: Callable[[Collected], None]
    ) -> list[Collected]:
        """Take what students handed in.

        Args:
            assignment_id: for what.
            path: a folder, or a .zip of everybody's work.
            received: when all of it came; without a zone by the course's clock. None: when each file was changed last.
            tell: called with each thing that was found.

        Raises:
            UsageError: no such assignment, nobody in the roster, or nothing there.
        """
        assignment = self.course.assignment(assignment_id)
        if not self.students():
            raise UsageError(text("collect.no_roster"), hint=text("class.no_student_hint"))
        source = open_source(path, self.zone)
        at = received if received is None or received.tzinfo else received.replace(tzinfo=self.zone)
        return Collector(self.ledger, self.store, assignment.id, self.author(), at).collect(source, tell)

    def assign(self, number: int, students: Sequence[str]) -> list[str]:
        """Say whose a submission is; of nobody: it is set aside. Returns the students' numbers.

        Raises:
            UsageError: no such submission or student.
        """
        with self.ledger.writing() as session:
            submission = session.get(SubmissionRow, number)
            if submission is None:
                raise UsageError(text("collect.no_submission", number=number), hint=text("collect.no_submission_hint"))
            found = [people.require_student(session, one) for one in students]
            assign(session, submission, found, self.author())
            return [student.id for student in found]

    def unclaimed(self, assignment_id: str) -> list[SubmissionRow]:
        """Return the submissions that nobody was recognised for."""
        with self.ledger.reading() as session:
            rows = session.scalars(
                select(SubmissionRow).where(SubmissionRow.assignment == assignment_id).order_by(SubmissionRow.id)
            ).all()
            belongs = owners(session, (row.id for row in rows))
            return [row for row in rows if row.id not in belongs]

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
            found = history_of(session, people.require_student(session, student).id)
        return [entry._replace(at=self.local(entry.at)) for entry in found]

    def local(self, moment: datetime) -> datetime:
        """Return a moment by the course's clock."""
        return moment.astimezone(self.zone)


@contextmanager
def open_gradebook(start: Path) -> Iterator[Gradebook]:
    """Open the ledger of the course that a folder is in; a new one where there is none yet.

    Raises:
        UsageError: no course, or a ledger that can't be read.
    """
    course = find_course(start)
    with Ledger(course.folder / FOLDER) as ledger:
        yield Gradebook(course, ledger)
