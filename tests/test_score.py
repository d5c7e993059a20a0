from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autograder.results import CheckResult, Status
from autograder.score import Thresholds, attempt_status, credit, graded_status, median_of_seeds, score_metric

INF, NAN = math.inf, math.nan

# The same examples every time, and no clock.
steady = settings(derandomize=True, deadline=None, database=None)

LOWER = Thresholds("lower", full=0.1, zero=0.5)
HIGHER = Thresholds("higher", full=0.9, zero=0.5)
LOWER_LOG = Thresholds("lower", full=0.01, zero=1.0, scale="log")
HIGHER_LOG = Thresholds("higher", full=100.0, zero=1.0, scale="log")


@pytest.mark.parametrize(
    ("thresholds", "value", "earned"),
    [
        (LOWER, 0.1, 1.0),
        (LOWER, 0.3, 0.5),
        (LOWER, 0.5, 0.0),
        (LOWER, 0.0, 1.0),
        (LOWER, -7.0, 1.0),
        (LOWER, 99.0, 0.0),
        (HIGHER, 0.9, 1.0),
        (HIGHER, 0.6, 0.25),
        (HIGHER, 0.5, 0.0),
        (HIGHER, 1.0, 1.0),
        (HIGHER, -1.0, 0.0),
        (LOWER_LOG, 0.01, 1.0),
        (LOWER_LOG, 0.1, 0.5),
        (LOWER_LOG, 1.0, 0.0),
        (LOWER_LOG, 0.0, 1.0),
        (LOWER_LOG, -0.5, 1.0),
        (LOWER_LOG, 50.0, 0.0),
        (HIGHER_LOG, 100.0, 1.0),
        (HIGHER_LOG, 10.0, 0.5),
        (HIGHER_LOG, 1.0, 0.0),
        (HIGHER_LOG, 0.0, 0.0),
        (HIGHER_LOG, -5.0, 0.0),
    ],
)
def test_credit_is_linear_between_the_thresholds_and_clamped_beyond(thresholds, value, earned):
    assert credit(value, thresholds) == pytest.approx(earned, abs=1e-12)


@pytest.mark.parametrize("thresholds", [LOWER, HIGHER, LOWER_LOG, HIGHER_LOG])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_is_not_finite_earns_nothing(thresholds, value):
    assert credit(value, thresholds) == 0.0


def _thresholds(better, one, other, scale):
    low, high = sorted([one, other])
    full, zero = (low, high) if better == "lower" else (high, low)
    return Thresholds(better, full, zero, scale)


values = st.floats(-1e9, 1e9) | st.just(0.0)
some_thresholds = st.builds(
    _thresholds,
    st.sampled_from(["lower", "higher"]),
    st.floats(1e-6, 1.0),
    st.floats(1.01, 1e6),
    st.sampled_from(["linear", "log"]),
)


@steady
@given(st.floats(), some_thresholds)
def test_credit_stays_within_zero_and_one(value, thresholds):
    assert 0.0 <= credit(value, thresholds) <= 1.0


@steady
@given(values, values, some_thresholds)
def test_a_better_value_never_earns_less(one, other, thresholds):
    assume(one != other)
    low, high = sorted([one, other])
    better, worse = (low, high) if thresholds.better == "lower" else (high, low)
    assert credit(better, thresholds) >= credit(worse, thresholds)


@steady
@given(some_thresholds)
def test_the_thresholds_themselves_earn_all_and_nothing(thresholds):
    assert credit(thresholds.full, thresholds) == 1.0
    assert credit(thresholds.zero, thresholds) == 0.0


@pytest.mark.parametrize(
    ("values", "better", "median"),
    [
        ([3.0], "lower", 3.0),
        ([3.0, 1.0, 2.0], "lower", 2.0),
        ([3.0, 1.0, 2.0], "higher", 2.0),
        ([1.0, 2.0], "lower", 2.0),
        ([1.0, 2.0], "higher", 1.0),
        ([4.0, 1.0, 3.0, 2.0], "lower", 3.0),
        ([4.0, 1.0, 3.0, 2.0], "higher", 2.0),
        ([NAN, 1.0, 2.0], "lower", 2.0),
        ([NAN, 1.0, 2.0], "higher", 1.0),
        ([INF, 1.0, 1.0], "lower", 1.0),
        ([-INF, 1.0, 2.0], "lower", 2.0),
        ([-INF, -INF, 1.0], "lower", -INF),
        ([INF, 1.0, 2.0], "higher", 1.0),
        ([INF, INF, 1.0], "higher", INF),
        ([-INF, 1.0], "lower", -INF),
    ],
)
def test_median_takes_the_worse_of_two_and_what_is_not_finite_for_the_worst(values, better, median):
    assert median_of_seeds(values, better) == median


@pytest.mark.parametrize("better", ["lower", "higher"])
@pytest.mark.parametrize("values", [[1.0, NAN], [NAN, NAN, 1.0], [NAN]])
def test_a_median_that_is_nan_stays_nan(values, better):
    assert math.isnan(median_of_seeds(values, better))


@steady
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=7), st.sampled_from(["lower", "higher"]))
def test_median_is_one_of_the_values_whatever_their_order(values, better):
    median = median_of_seeds(values, better)
    assert median in values
    assert median_of_seeds(values[::-1], better) == median


def test_score_metric_keeps_raw_values_and_thresholds():
    scored = score_metric([0.3, NAN, 0.2], LOWER, 40.0)
    assert scored.value == 0.3
    assert scored.score == pytest.approx(20.0)
    assert (scored.max_points, scored.full, scored.zero, scored.better, scored.scale) == (
        40,
        0.1,
        0.5,
        "lower",
        "linear",
    )
    assert scored.values[0] == 0.3
    assert math.isnan(scored.values[1])


def test_score_metric_is_not_rounded():
    assert score_metric([0.2], LOWER, 1 / 3).score == (1 / 3) * credit(0.2, LOWER)


def test_one_lucky_seed_does_not_carry_two_that_diverged():
    assert score_metric([0.0, NAN, INF], LOWER, 10.0).score == 0.0


@pytest.mark.parametrize(
    ("score", "most", "status"),
    [
        (10.0, 10.0, Status.PASSED),
        (9.999999, 10.0, Status.PARTIAL),
        (0.001, 10.0, Status.PARTIAL),
        (0.0, 10.0, Status.FAILED),
    ],
)
def test_graded_status(score, most, status):
    assert graded_status(score, most) is status


def _check(status: Status, score: float) -> CheckResult:
    return CheckResult(
        id="test_x::test_y", task="1", title="x", status=status, score=score, max_points=10, hidden=False
    )  # fmt: skip


P, H, F, E, T, S, N = (
    Status.PASSED, Status.PARTIAL, Status.FAILED, Status.ERROR, Status.TIMEOUT, Status.SKIPPED, Status.INTERNAL
)  # fmt: skip


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([P], P),
        ([P, P], P),
        ([P, F], F),
        ([F, F], F),
        ([P, E], E),
        ([P, T, T], T),
        ([P, T, E], H),
        ([T, E], F),
        ([P, H], H),
        ([H, H], H),
        ([H, F], H),
        ([F, S], F),
        ([T, S, S], T),
        ([P, S, E], E),
        ([T, S, E], F),
        ([N], N),
        ([P, N], N),
        ([P, F, T, N], N),
        ([], N),
    ],
)
def test_attempt_status_by_design_5(statuses, expected):
    earned = {Status.PASSED: 10.0, Status.PARTIAL: 5.0}
    for order in itertools.islice(itertools.permutations(statuses), 24):
        assert attempt_status(_check(status, earned.get(status, 0.0)) for status in order) is expected


def test_checks_that_were_all_skipped_are_not_a_pass():
    assert attempt_status([_check(S, 0.0)]) is Status.FAILED
