from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from autograder.late_policy import (
    Extension,
    HandIn,
    LatePolicy,
    Work,
    days_late,
    deadline_of,
    may_count,
    settle,
    utc,
)

BERLIN, SHANGHAI, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")


def at(said: str, zone=UTC):
    return datetime.fromisoformat(said).replace(tzinfo=zone)


# --- how late ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "days"),
    [
        ("2026-12-06T15:59:00", 0),  # 23:59 in Shanghai
        ("2026-12-06T15:58:59", 0),
        ("2026-12-06T15:59:01", 1),
        ("2026-12-07T15:59:00", 1),
        ("2026-12-07T15:59:01", 2),
        ("2026-12-16T15:59:00", 10),
        ("2020-01-01T00:00:00", 0),
    ],
)
def test_each_day_begun_counts(received, days):
    assert days_late(at(received), at("2026-12-06T23:59", SHANGHAI)) == days


@pytest.mark.parametrize(
    ("received", "days"),
    [("2026-12-06T16:14:00", 0), ("2026-12-06T16:14:01", 1), ("2026-12-07T16:14:00", 1), ("2026-12-07T16:14:01", 2)],
)
def test_grace_holds_at_the_deadline_and_at_each_day_after_it(received, days):
    assert days_late(at(received), at("2026-12-06T23:59", SHANGHAI), grace_min=15) == days


@pytest.mark.parametrize(
    ("deadline", "received", "days"),
    [
        # Berlin, 29 March 2026: 02:00 becomes 03:00, so this day has 23 hours.
        ("2026-03-28T23:59", "2026-03-29T21:59:00", 1),  # 23:59 on the 29th, summer time
        ("2026-03-28T23:59", "2026-03-29T21:59:01", 2),
        ("2026-03-28T23:59", "2026-03-28T22:59:00", 0),
        # 25 October 2026: 03:00 becomes 02:00, so this day has 25 hours.
        ("2026-10-24T23:59", "2026-10-25T22:59:00", 1),
        ("2026-10-24T23:59", "2026-10-25T22:59:01", 2),
        ("2026-10-24T23:59", "2026-10-24T21:59:00", 0),
        ("2026-10-24T23:59", "2026-11-03T22:59:00", 10),
        # A deadline that the clocks show twice: the second time is meant.
        ("2026-10-25T02:30", "2026-10-25T01:30:00", 0),
        ("2026-10-25T02:30", "2026-10-25T01:30:01", 1),
        # One that they never show, 02:30 on 29 March, is half an hour after the change.
        ("2026-03-29T02:30", "2026-03-29T01:30:00", 0),
        ("2026-03-29T02:30", "2026-03-29T01:30:01", 1),
    ],
)
def test_a_day_is_a_day_of_the_calendar_when_the_clocks_change(deadline, received, days):
    assert days_late(at(received), at(deadline, BERLIN)) == days


def test_the_senders_time_zone_does_not_matter():
    assert days_late(at("2026-12-06T10:59", NEW_YORK), at("2026-12-06T23:59", SHANGHAI)) == 0
    assert days_late(at("2026-12-06T11:00", NEW_YORK), at("2026-12-06T23:59", SHANGHAI)) == 1


def test_a_moment_shown_twice_is_the_later_one():
    assert utc(at("2026-10-25T02:30", BERLIN)) == at("2026-10-25T01:30")


# --- extensions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extensions", "deadline"),
    [
        ([], "2026-03-28T22:59"),
        ([Extension(days=1)], "2026-03-29T21:59"),  # 23:59 by the clock, an hour earlier for UTC
        ([Extension(days=1), Extension(days=3), Extension(days=2)], "2026-03-31T21:59"),
        ([Extension(until=at("2026-04-02T12:00", SHANGHAI))], "2026-04-02T04:00"),
        ([Extension(until=at("2026-01-01T12:00"))], "2026-03-28T22:59"),  # never earlier than for everybody
    ],
)
def test_the_extension_that_gives_most_counts(extensions, deadline):
    assert utc(deadline_of(at("2026-03-28T23:59", BERLIN), extensions)) == at(deadline)


# --- what it costs ----------------------------------------------------------------------------------------------------

DUE = at("2026-12-06T12:00")
TEN_A_DAY = LatePolicy(per_day=0.1)


def work(*hand_ins, policy=TEN_A_DAY, assignment="hw1", due=DUE, extensions=()):
    """Hand-ins as (day of December at noon, score)."""
    made = [
        HandIn(number, datetime(2026, 12, day, 12, tzinfo=UTC), score)
        for number, (day, score) in enumerate(hand_ins, start=1)
    ]
    return Work(assignment, due, 100.0, policy, tuple(made), extensions)


def final(*hand_ins, **given):
    settled = settle([work(*hand_ins, **given)])["hw1"]
    return settled.hand_in.id, settled.days_late, settled.final


@pytest.mark.parametrize(
    ("policy", "day", "score", "came_to"),
    [
        ({}, 20, 80.0, 80.0),  # no policy: nothing
        ({"per_day": 0.1}, 6, 80.0, 80.0),
        ({"per_day": 0.1}, 7, 80.0, 72.0),
        ({"per_day": 0.1}, 9, 80.0, 56.0),
        ({"per_day": 0.1}, 30, 80.0, 0.0),  # never below nothing
        ({"per_day": 0.1, "most": 0.5}, 30, 80.0, 40.0),
        ({"per_day": 0.1, "share_of": "max_points"}, 7, 80.0, 70.0),
        ({"per_day": 0.1, "share_of": "max_points"}, 12, 30.0, 0.0),
        ({"per_day": 0.1, "share_of": "max_points", "most": 0.2}, 12, 30.0, 10.0),
        ({"per_day": 0.1, "slip_days": 2}, 8, 80.0, 80.0),
        ({"per_day": 0.1, "slip_days": 2}, 9, 80.0, 72.0),
        ({"hard_stop_days": 2}, 8, 80.0, 80.0),
        ({"hard_stop_days": 2}, 9, 80.0, 0.0),
        ({"hard_stop_days": 2, "slip_days": 5}, 9, 80.0, 0.0),  # slip days don't move the hard stop
        ({"hard_stop_days": 0}, 7, 80.0, 0.0),
    ],
)
def test_what_lateness_costs(policy, day, score, came_to):
    assert final((day, score), policy=LatePolicy(**policy))[2] == pytest.approx(came_to)


def test_after_the_hard_stop_it_is_worth_nothing_whatever_it_would_score():
    assert final((9, None), policy=LatePolicy(hard_stop_days=2)) == (1, 3, 0.0)


def test_an_extension_moves_the_deadline_and_the_hard_stop():
    policy = LatePolicy(per_day=0.1, hard_stop_days=2)
    assert final((10, 80.0), policy=policy, extensions=(Extension(days=3),)) == (1, 1, 72.0)
    assert final((12, 80.0), policy=policy, extensions=(Extension(days=3),)) == (1, 3, 0.0)


def test_without_a_deadline_nothing_is_late():
    assert final((30, 80.0), due=None) == (1, 0, 80.0)


# --- which one counts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "hand_ins", "came_to"),
    [
        ({"counts": "last"}, [(5, 90.0), (6, 70.0)], (2, 0, 70.0)),
        ({"counts": "first"}, [(5, 90.0), (6, 95.0)], (1, 0, 90.0)),
        ({"counts": "best"}, [(5, 90.0), (6, 70.0)], (1, 0, 90.0)),
        ({"counts": "best"}, [(6, 90.0), (7, 95.0)], (1, 0, 90.0)),  # 95 less a tenth is less than 90
        ({"counts": "best"}, [(6, 80.0), (7, 95.0)], (2, 1, 85.5)),
        ({"counts": "best"}, [(5, 80.0), (6, 80.0)], (1, 0, 80.0)),  # of equals the earlier
        ({"counts": "best"}, [(5, None), (6, 0.0)], (2, 0, 0.0)),
        ({"counts": "last"}, [(5, 80.0), (6, None)], (2, 0, None)),  # not graded yet: not the old grade either
        # What came after the hard stop does not take the place of what came in time.
        ({"counts": "last", "hard_stop_days": 1}, [(6, 80.0), (9, 95.0)], (1, 0, 80.0)),
        ({"counts": "last", "most_submissions": 2}, [(1, 10.0), (2, 20.0), (3, 30.0)], (2, 0, 20.0)),
        ({"counts": "best", "most_submissions": 1}, [(1, 10.0), (2, 20.0)], (1, 0, 10.0)),
    ],
)
def test_which_submission_counts(policy, hand_ins, came_to):
    number, days, score = final(*hand_ins, policy=LatePolicy(per_day=0.1, **policy))
    assert (number, days) == came_to[:2]
    assert score == (None if came_to[2] is None else pytest.approx(came_to[2]))


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ({"counts": "last"}, [3]),
        ({"counts": "first"}, [1]),
        ({"counts": "best"}, [1, 2, 3]),
        ({"counts": "last", "hard_stop_days": 1}, [2]),
        ({"counts": "best", "hard_stop_days": 1}, [1, 2]),
        ({"counts": "best", "most_submissions": 1}, [1]),
    ],
)
def test_which_submissions_may_turn_out_to_count(policy, numbers):
    assert may_count(work((5, None), (6, None), (9, None), policy=LatePolicy(**policy))) == numbers


def test_the_order_of_arrival_counts_not_that_of_the_list():
    late_first = Work(
        "hw1", DUE, 100.0, LatePolicy(), (HandIn(7, at("2026-12-05"), 50.0), HandIn(3, at("2026-12-04"), 60.0))
    )
    assert settle([late_first])["hw1"].hand_in.id == 7


# --- slip days, over the course ---------------------------------------------------------------------------------------


def test_slip_days_are_spent_in_the_order_of_the_deadlines():
    policy = LatePolicy(per_day=0.1, slip_days=3)
    second = work((8, 100.0), policy=policy, assignment="hw2", due=at("2026-12-06T12:00"))
    first = work((4, 100.0), policy=policy, assignment="hw1", due=at("2026-12-02T12:00"))
    settled = settle([second, first])
    assert [(settled[name].slip_days, settled[name].final) for name in ("hw1", "hw2")] == [(2, 100.0), (1, 90.0)]


def test_no_slip_day_is_spent_on_what_does_not_count():
    policy = LatePolicy(per_day=0.1, slip_days=1, counts="best")
    first = work((2, 90.0), (3, 90.0), policy=policy, assignment="hw1", due=at("2026-12-02T12:00"))
    second = work((7, 100.0), policy=policy, assignment="hw2")
    settled = settle([first, second])
    assert [(settled[name].slip_days, settled[name].final) for name in ("hw1", "hw2")] == [(0, 90.0), (1, 100.0)]


def test_nothing_handed_in_is_nothing_settled():
    assert settle([]) == {}
    assert settle([work()]) == {}
