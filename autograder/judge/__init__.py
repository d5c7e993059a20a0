"""The judge: runs an assignment's checks against a submission in the box, and measures what comes back.

Theory of operation
===================

The judge is the trusted side: the process that runs `grade check`, or pytest with this package's plugin. It holds the
hidden inputs, the labels, the thresholds and the scores; the student's code never runs in it.

1. `attempt.run_attempt` (or pytest itself) makes a `session.JudgeSession`: assignment, submission, options, boxes.
2. `plugin` collects the checks, reads each one's `points` marker (`marker`), compares the sums with assignment.yml.
   For `grade`, `pytest_run` manages that run of pytest, and gives the checks their session once they are collected.
3. A check gets the fixture `submission`, a proxy (`proxy`). Each use is a request to a box; `boxes` decides which one:
   all public checks share a box, a hidden check and each hidden training has its own, a dead box is replaced.
4. What the check raises, or doesn't, becomes a verdict (`verdict`): whose fault, which status, what to tell whom.
5. Metrics become points by `autograder.score`, from thresholds in assignment.yml.

Many attempts (`judges`) are made in processes of their own, several at a time. On Linux they are warm: a judge zygote
(`judge_zygote`) has pytest and the checks loaded, waits where the session would be opened, and forks a judge for each
attempt; `warm` is the side of whoever asks, `orders` what goes between them. All judges share the boxes' zygotes.

Who trusts whom: a check trusts the judge; nobody trusts values that came out of a box before `as_array`, `as_number` or
`as_int` (`expectations`) has made plain numbers of them.

Check files import what they need from here. Names are loaded on first use: pytest imports this package in every project
of an environment that has it installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.judge.expectations import CheckFailed as CheckFailed
    from autograder.judge.expectations import as_array as as_array
    from autograder.judge.expectations import as_int as as_int
    from autograder.judge.expectations import as_number as as_number
    from autograder.judge.expectations import both as both
    from autograder.judge.expectations import expect as expect
    from autograder.judge.expectations import show as show
    from autograder.judge.proxy import boxed as boxed
    from autograder.judge.proxy import fresh as fresh
    from autograder.judge.proxy import moved as moved
    from autograder.judge.proxy import new_folder as new_folder
    from autograder.judge.proxy import unboxed as unboxed
    from autograder.judge.raising import raises as raises

_HOME = {
    **dict.fromkeys(("CheckFailed", "as_array", "as_int", "as_number", "both", "expect", "show"), "expectations"),
    **dict.fromkeys(("boxed", "fresh", "moved", "new_folder", "unboxed"), "proxy"),
    "raises": "raising",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(importlib.import_module(f"autograder.judge.{_HOME[name]}"), name)
    raise AttributeError(name)
