"""Regrade requests: a student's question about a grade, and the answers to it, each a row of its own."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from autograder.ledger.models import RegradeRequest
from autograder.ledger.people import Author


class Asked(NamedTuple):
    """A request with what was answered to it last."""

    number: int
    at: datetime
    assignment: str
    student_id: str
    check_id: str | None
    """None: it is about the whole assignment."""
    text: str
    answer: str
    """Empty: nobody has answered yet."""
    answered_by: str
    earlier: tuple[str, ...] = ()
    """What was answered before that, the oldest first."""


def requests(session: Session, assignment: str | None = None) -> list[Asked]:
    """Return the requests, of one assignment or all, the oldest first."""
    asked = select(RegradeRequest).where(RegradeRequest.answers.is_(None)).order_by(RegradeRequest.id)
    if assignment is not None:
        asked = asked.where(RegradeRequest.assignment == assignment)
    given = select(RegradeRequest).where(RegradeRequest.answers.is_not(None)).order_by(RegradeRequest.id)
    answers: defaultdict[int | None, list[RegradeRequest]] = defaultdict(list)
    for one in session.scalars(given):
        answers[one.answers].append(one)
    return [_asked(one, answers[one.id]) for one in session.scalars(asked)]


def _asked(one: RegradeRequest, answers: list[RegradeRequest]) -> Asked:
    *earlier, (said, who) = [("", ""), *((answer.text, answer.who) for answer in answers)]
    before = tuple(answer for answer, _ in earlier if answer)
    return Asked(one.id, one.at, one.assignment, one.student_id, one.check_id, one.text, said, who, before)


def open_requests(session: Session, assignment: str) -> list[RegradeRequest]:
    """Return the requests that nobody has answered yet."""
    answer = aliased(RegradeRequest)
    answered = select(answer.id).where(answer.answers == RegradeRequest.id).exists()
    asked = select(RegradeRequest).where(RegradeRequest.answers.is_(None), RegradeRequest.assignment == assignment)
    return list(session.scalars(asked.where(~answered)))


class About(NamedTuple):
    """What a request, or a decision, is about."""

    assignment: str
    student_id: str
    check_id: str | None


def ask(session: Session, about: About, said: str, author: Author) -> RegradeRequest:
    """Record what a student asks."""
    row = RegradeRequest(text=said, **about._asdict(), **author._asdict())
    session.add(row)
    session.flush()
    return row


def answer(session: Session, request: RegradeRequest, said: str, author: Author) -> None:
    """Record what is answered; a second answer stands beside the first."""
    about = About(request.assignment, request.student_id, request.check_id)
    session.add(RegradeRequest(answers=request.id, text=said, **about._asdict(), **author._asdict()))
