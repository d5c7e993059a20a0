from __future__ import annotations

import pytest

from autograder.errors import UsageError
from autograder.run.where import parse

ROW = {"score": 55.0, "final": None, "status": "partial", "section": "A", "late": 2.0, "framework": "torch", "id": "7"}


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ("score < 60", True),
        ("score<55", False),
        ("score <= 55", True),
        ("score >= 55.0", True),
        ("score == 55", True),
        ("score != 55", False),
        ("late > 0 and section = A", True),
        ("late > 0 AND section = 'B'", False),
        ("status != passed", True),
        ("final < 100", False),  # not known is not less
        ("final != 100", False),
        ('framework = "torch"', True),
    ],
)
def test_conditions(said, holds):
    assert all(term.holds(ROW) for term in parse(said)) is holds


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("", "For example"),
        ("score", "For example"),
        ("points < 3", "score, final"),
        ("score < high", "number"),
        ("section < A", "section"),
        ("__import__('os').system('x') = 1", "For example"),
        ("score < 60 or late > 0", "number"),
    ],
)
def test_what_is_no_condition(said, says):
    with pytest.raises(UsageError) as raised:
        parse(said)
    assert says in raised.value.hint
