"""The ledger's tables. It only grows: what was recorded once is never changed, and what is in force is derived.

    students ─< aliases          names that an LMS, a mailbox or a host knows them by
       │   └──< extensions
       ├──< group_members
       └─< handed_in_by >─ recognitions >─ submissions ─< attempts ─< check_results ─< metrics
                                                └──< received_corrections, unreadable
    overrides, regrade_requests  by student, assignment and check
    events                       what was done to the ledger, by whom

Only `students`, `aliases` and `group_members` have rows that change: a roster is corrected. Everything else is
appended: `GROWS_ONLY` names those tables, and a session refuses to change or delete what is in them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from autograder.messages import retold


class Moment(TypeDecorator[datetime]):
    """A moment, stored in UTC: SQLite keeps no time zones, and a local time alone is two moments once a year."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a moment without a time zone: {value}")
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give it back with its time zone."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables; constraints have names, so that migrations can speak of them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 - SQLAlchemy's


_Id = String(64)
_Hash = String(64)
_Name = String(200)


class Student(Base):
    """One student of the roster."""

    __tablename__ = "students"

    id: Mapped[str] = mapped_column(_Id, primary_key=True)
    """The student number, as the university writes it."""
    name: Mapped[str] = mapped_column(_Name)
    email: Mapped[str] = mapped_column(_Name, default="")
    section: Mapped[str] = mapped_column(_Name, default="")
    pseudonym: Mapped[str] = mapped_column(_Name, unique=True)
    """What graders see where the course grades anonymously."""
    left: Mapped[bool] = mapped_column(Boolean, default=False)
    """Not in the newest roster any more. Nobody is ever deleted: their grades stay."""
    aliases: Mapped[list[Alias]] = relationship(back_populates="student")


class Alias(Base):
    """A name that somebody else knows a student by: an LMS's number, a mail address, a login."""

    __tablename__ = "aliases"

    source: Mapped[str] = mapped_column(_Id, primary_key=True)
    alias: Mapped[str] = mapped_column(_Name, primary_key=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("students.id"), index=True)
    student: Mapped[Student] = relationship(back_populates="aliases")


class GroupMember(Base):
    """A student in a group that hands in together."""

    __tablename__ = "group_members"

    assignment: Mapped[str] = mapped_column(_Id, primary_key=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("students.id"), primary_key=True)
    name: Mapped[str] = mapped_column(_Name)
    """The group's."""


class ExtensionRow(Base):
    """More time for a student; of several the one that gives most counts.

    One by hand of no days and no moment takes back what was given before: `ledger.extensions` says what is in force.
    """

    __tablename__ = "extensions"

    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("students.id"), index=True)
    assignment: Mapped[str | None] = mapped_column(_Id)
    """None: every assignment."""
    days: Mapped[int] = mapped_column(Integer, default=0)
    until: Mapped[datetime | None]
    why: Mapped[str] = mapped_column(Text, default="")
    who: Mapped[str] = mapped_column(_Name)
    at: Mapped[datetime]


class SubmissionRow(Base):
    """What was handed in once. The files lie in the store under their hash."""

    __tablename__ = "submissions"
    __table_args__ = (UniqueConstraint("assignment", "origin", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment: Mapped[str] = mapped_column(_Id, index=True)
    sha256: Mapped[str] = mapped_column(_Hash, index=True)
    """Of the files, as the store keeps them."""
    name: Mapped[str] = mapped_column(_Name)
    """The file's or folder's name, as it came."""
    origin: Mapped[str] = mapped_column(Text)
    """Where it came from: a source and what it calls the submission."""
    received: Mapped[datetime]
    collected: Mapped[datetime]
    notes: Mapped[list[Any]] = mapped_column(default=list)
    """What was cleaned or is doubtful, in words."""
    recognitions: Mapped[list[Recognition]] = relationship(back_populates="submission", order_by="Recognition.id")
    attempts: Mapped[list[Attempt]] = relationship(back_populates="submission")
    corrections: Mapped[list[ReceivedCorrection]] = relationship(back_populates="submission")
    unreadable: Mapped[list[Unreadable]] = relationship(back_populates="submission")


class Recognition(Base):
    """Whose submission it is, as it was found out or decided; the newest one about a submission is in force."""

    __tablename__ = "recognitions"

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    how: Mapped[str] = mapped_column(_Id)
    """manifest, alias, id, name, group, hand; "set aside" where it shall count for nobody."""
    who: Mapped[str] = mapped_column(_Name)
    at: Mapped[datetime]
    submission: Mapped[SubmissionRow] = relationship(back_populates="recognitions")
    students: Mapped[list[HandedInBy]] = relationship(back_populates="recognition")


class HandedInBy(Base):
    """One of the students whose submission it is: several where they work in a group."""

    __tablename__ = "handed_in_by"

    recognition_id: Mapped[int] = mapped_column(ForeignKey("recognitions.id"), primary_key=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("students.id"), primary_key=True, index=True)
    recognition: Mapped[Recognition] = relationship(back_populates="students")


class ReceivedCorrection(Base):
    """When a submission really came, where a source said it wrongly; the newest one about a submission is in force."""

    __tablename__ = "received_corrections"

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    received: Mapped[datetime]
    why: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(_Name)
    at: Mapped[datetime]
    submission: Mapped[SubmissionRow] = relationship(back_populates="corrections")


class Unreadable(Base):
    """A submission that no attempt can be made at, and why: no code in it, or several files that could be meant."""

    __tablename__ = "unreadable"

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    problem: Mapped[str] = mapped_column(Text)
    """In the language of the run that found it out."""
    said: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What those words are made of, where that is known."""
    host: Mapped[str] = mapped_column(_Name)
    at: Mapped[datetime]
    submission: Mapped[SubmissionRow] = relationship(back_populates="unreadable")

    def why(self) -> str:
        """Return why no attempt can be made, in the language in force."""
        return retold(self.said, self.problem)


class Attempt(Base):
    """One grading run of one submission."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_key", "submission_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    key: Mapped[str] = mapped_column(_Hash)
    """A hash of all that the result hangs on: what has the same key need not be run again."""
    measured: Mapped[str] = mapped_column(_Hash)
    """The same, but for what only turns measured values into points: what has the same can be scored anew."""
    rescored_from: Mapped[int | None] = mapped_column(ForeignKey("attempts.id"))
    """Set where only thresholds or points changed, and nothing was run."""
    checks_sha256: Mapped[str] = mapped_column(_Hash)
    assignment_sha256: Mapped[str] = mapped_column(_Hash)
    status: Mapped[str] = mapped_column(_Id)
    score: Mapped[float] = mapped_column(Float)
    max_points: Mapped[float] = mapped_column(Float)
    isolation: Mapped[str] = mapped_column(_Id)
    device: Mapped[str] = mapped_column(_Name)
    host: Mapped[str] = mapped_column(_Name)
    started: Mapped[datetime]
    limits: Mapped[dict[str, Any]]
    report: Mapped[dict[str, Any]]
    """The report but for its checks: environment, seeds, versions, duration."""
    submission: Mapped[SubmissionRow] = relationship(back_populates="attempts")
    checks: Mapped[list[CheckRow]] = relationship(back_populates="attempt", order_by="CheckRow.position")


class CheckRow(Base):
    """What one check of an attempt came to."""

    __tablename__ = "check_results"

    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    check_id: Mapped[str] = mapped_column(_Name)
    task: Mapped[str] = mapped_column(_Id)
    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(_Id)
    score: Mapped[float] = mapped_column(Float)
    max_points: Mapped[float] = mapped_column(Float)
    hidden: Mapped[bool] = mapped_column(Boolean)
    told: Mapped[dict[str, Any]]
    """The rest of the result: the texts, the frames, how long it took."""
    attempt: Mapped[Attempt] = relationship(back_populates="checks")
    metrics: Mapped[list[MetricRow]] = relationship(back_populates="check")


class MetricRow(Base):
    """The raw values of a metric: what a changed threshold is scored anew from."""

    __tablename__ = "metrics"
    __table_args__ = (
        ForeignKeyConstraint(["attempt_id", "position"], ["check_results.attempt_id", "check_results.position"]),
    )

    attempt_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(_Name, primary_key=True)
    result: Mapped[dict[str, Any]]
    """The values as measured, one a seed, with the thresholds that were in force and what they earned."""
    check: Mapped[CheckRow] = relationship(back_populates="metrics")


class Override(Base):
    """A human's decision about points. It survives every regrade; a later one about the same takes its place."""

    __tablename__ = "overrides"

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment: Mapped[str] = mapped_column(_Id, index=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("students.id"), index=True)
    check_id: Mapped[str | None] = mapped_column(_Name)
    """None: the assignment's score as a whole."""
    points: Mapped[float | None] = mapped_column(Float)
    """None: what was decided before is taken back."""
    why: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(_Name)
    at: Mapped[datetime]


class RegradeRequest(Base):
    """A student's question about a grade, or the answer to one."""

    __tablename__ = "regrade_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    answers: Mapped[int | None] = mapped_column(ForeignKey("regrade_requests.id"))
    """The request that this row is the answer to; None: it is a request."""
    assignment: Mapped[str] = mapped_column(_Id, index=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("students.id"), index=True)
    check_id: Mapped[str | None] = mapped_column(_Name)
    text: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(_Name)
    at: Mapped[datetime]


class Event(Base):
    """Something that was done to the ledger."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(_Name)
    kind: Mapped[str] = mapped_column(_Id)
    about: Mapped[dict[str, Any]]


GROWS_ONLY = (
    ExtensionRow, SubmissionRow, Recognition, HandedInBy, ReceivedCorrection, Unreadable, Attempt, CheckRow, MetricRow,
    Override, RegradeRequest, Event,
)  # fmt: skip


class LedgerChanged(RuntimeError):
    """Something tried to change or delete what was recorded."""


@event.listens_for(Session, "before_flush")
def _refuse_changes(session: Session, *_: object) -> None:
    changed = [row for row in session.dirty if isinstance(row, GROWS_ONLY) and session.is_modified(row)]
    deleted = [row for row in session.deleted if isinstance(row, (*GROWS_ONLY, Student))]
    if changed or deleted:
        raise LedgerChanged(f"the ledger only grows: {[*changed, *deleted]}")
