"""Late work: the deadline of one student, how late a submission is, what that costs, and which submission counts.

Pure functions on moments with time zones. A day late is a day of the calendar: from Saturday 23:59 to Sunday 23:59,
which on two days of the year is an hour shorter or longer than 24 hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class LateTerms(BaseModel):
    """What late work costs, as far as each assignment may say otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grace_min: float = Field(0, ge=0, description="minutes after the deadline, and after each day late, that are free")
    per_day: float = Field(0, ge=0, le=1, description="the share that each day late costs: 0.1")
    share_of: Literal["score", "max_points"] = Field("score", description="what it is a share of")
    most: float = Field(1, ge=0, le=1, description="the largest share that lateness costs")
    hard_stop_days: int | None = Field(None, ge=0, description="days after the deadline that work is still counted")
    counts: Literal["last", "best", "first"] = Field("last", description="which of several submissions counts")
    most_submissions: int | None = Field(None, ge=1, description="how many count; later ones are kept, not counted")


class LatePolicy(LateTerms):
    """What late work costs in a course. Where nothing is said: nothing, for as long as it is accepted."""

    slip_days: int = Field(0, ge=0, description="days late that cost nothing, in the whole course")

    def with_terms(self, terms: LateTerms) -> LatePolicy:
        """Return the policy of an assignment that has terms of its own, key by key."""
        return self.model_copy(update=terms.model_dump(exclude_unset=True))


class Extension(NamedTuple):
    """More time for one student. Of several the one that gives most counts."""

    days: int = 0
    until: datetime | None = None


class HandIn(NamedTuple):
    """One submission, in the order of arrival."""

    id: int
    received: datetime
    score: float | None
    """None: it has no grade yet."""


class Work(NamedTuple):
    """What one student handed in for one assignment."""

    assignment: str
    due: datetime | None
    """With its time zone; None: there is no deadline."""
    max_points: float
    policy: LatePolicy
    hand_ins: tuple[HandIn, ...]
    extensions: tuple[Extension, ...] = ()


class Settled(NamedTuple):
    """What a submission comes to."""

    hand_in: HandIn
    days_late: int
    slip_days: int
    """Of the days late: those that cost nothing."""
    refused: bool
    """It came after the hard stop."""
    penalty: float
    """Points that lateness costs."""
    final: float | None
    """The score less the penalty, never below 0; None: it has no grade yet, and could earn one."""


@lru_cache(maxsize=1024)  # deadlines: a class has few, and compares each submission with one
def utc(moment: datetime) -> datetime:
    """Return a moment in UTC. One that the clocks show twice is the later of the two: in the student's favour."""
    # By way of UTC, always: two moments with one time zone are compared by their clock's face, whatever the season.
    return max(moment.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def deadline_of(due: datetime, extensions: Iterable[Extension] = ()) -> datetime:
    """Return until when a student may hand in, in the time zone of `due`."""
    moments = [due]
    for extension in extensions:
        moments.append(due + timedelta(days=extension.days))
        if extension.until is not None:
            moments.append(extension.until.astimezone(due.tzinfo))
    return max(moments, key=utc) if len(moments) > 1 else due


def days_late(received: datetime, deadline: datetime, grace_min: float = 0) -> int:
    """Return how many days late something came, each day begun counted whole; 0: in time."""
    arrived, ends = received.astimezone(UTC) - timedelta(minutes=grace_min), utc(deadline)
    if arrived <= ends:
        return 0
    # The clock's face moves on by whole days, and UTC follows it through the change of the clocks.
    days = max((arrived - ends) // timedelta(days=1) - 1, 0)
    while utc(deadline + timedelta(days=days)) < arrived:
        days += 1
    return days


def settle(works: Sequence[Work]) -> dict[str, Settled]:
    """Return which submission counts for each assignment, and what it comes to.

    Slip days are spent in the order of the deadlines, as many as a late submission needs and there are left.

    Args:
        works: of one student; those with nothing handed in may be left out.
    """
    spent = 0
    counted: dict[str, Settled] = {}
    for work in sorted(works, key=_by_deadline):
        policy = work.policy
        candidates = [_settled(work, one, max(policy.slip_days - spent, 0)) for one in _in_limit(work)]
        chosen = _choose(policy.counts, [one for one in candidates if not one.refused])
        if chosen is None and candidates:
            chosen = candidates[0]  # all came too late: said of the first
        if chosen is not None:
            spent += chosen.slip_days
            counted[work.assignment] = chosen
    return counted


def may_count(work: Work) -> list[int]:
    """Return which submissions can turn out to be the one that counts, whatever they score."""
    in_time = _in_limit(work)
    if work.policy.hard_stop_days is not None:
        in_time = [one for one in in_time if not _settled(work, one, 0).refused]
    numbers = [one.id for one in in_time]
    if work.policy.counts == "best":
        return numbers
    return numbers[:1] if work.policy.counts == "first" else numbers[-1:]


def _by_deadline(work: Work) -> tuple[bool, datetime, str]:
    due = work.due
    return due is None, utc(due) if due else datetime.max.replace(tzinfo=UTC), work.assignment


def _in_limit(work: Work) -> list[HandIn]:
    ordered = sorted(work.hand_ins, key=lambda one: (one.received, one.id))
    return ordered[: work.policy.most_submissions]


def _settled(work: Work, one: HandIn, slip_days_left: int) -> Settled:
    policy = work.policy
    if work.due is None:
        return Settled(one, 0, 0, refused=False, penalty=0.0, final=one.score)
    late = days_late(one.received, deadline_of(work.due, work.extensions), policy.grace_min)
    if policy.hard_stop_days is not None and late > policy.hard_stop_days:
        return Settled(one, late, 0, refused=True, penalty=one.score or 0.0, final=0.0)  # whatever it would score
    slipped = min(late, slip_days_left)
    if one.score is None:
        return Settled(one, late, slipped, refused=False, penalty=0.0, final=None)
    share = min((late - slipped) * policy.per_day, policy.most)
    penalty = min(one.score, share * (one.score if policy.share_of == "score" else work.max_points))
    return Settled(one, late, slipped, refused=False, penalty=penalty, final=one.score - penalty)


def _choose(counts: str, settled: list[Settled]) -> Settled | None:
    if not settled:
        return None
    if counts == "best":
        # What has no grade yet can't be the best; of equals the one that spends fewer slip days, then the earlier.
        return max(settled, key=lambda one: (-1.0 if one.final is None else one.final, -one.slip_days))
    return settled[0] if counts == "first" else settled[-1]
