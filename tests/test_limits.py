from __future__ import annotations

import pytest
from pydantic import ValidationError

from autograder.limits import Limits


def test_a_training_call_has_at_least_a_minute():
    assert Limits().call_s >= 60


def test_processor_time_is_what_all_threads_could_use():
    assert Limits(attempt_s=100, threads=4).cpu_s >= 400


@pytest.mark.parametrize(
    "wrong",
    [{"call_s": 0}, {"call_s": -1}, {"memory_mb": 8}, {"threads": 0}, {"threads": 65}, {"output_mb": 0}, {"calls": 3}],
)
def test_a_limit_that_nothing_could_run_under_is_refused(wrong):
    with pytest.raises(ValidationError):
        Limits(**wrong)


def test_limits_cannot_be_changed():
    with pytest.raises(ValidationError):
        Limits().call_s = 1
