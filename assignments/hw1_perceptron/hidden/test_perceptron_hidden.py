"""Hidden checks of homework 1: gates and data that the student has not seen.

How many rounds a training needs follows from the perceptron convergence theorem (Novikoff 1962): starting from zeros
there are at most (R / margin)² corrections, whatever the order and the rate; R is the longest input vector, a 1 for the
bias appended. Each round but the last corrects something, so that many rounds are enough for every correct program.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from autograder.judge import as_array, as_int, both, boxed, expect, show, unboxed

PAIRS = [[0, 1], [1, 1], [0, 0], [1, 0]]
OR = [1, 1, 0, 1]
NAND = [1, 0, 1, 1]
NOR = [0, 0, 1, 0]
XOR = [1, 0, 0, 1]
ROUNDS = 60  # of a gate with two inputs: at most 51 corrections
ROUNDS_OF_THREE = 200  # AND of three inputs: at most 148


def call(owner: Any, name: str, *args: object) -> Any:
    """Call `owner.name(*args)`. Where that is no function the check fails: a TypeError here would be our fault."""
    function = getattr(owner, name, None)
    expect(
        callable(function),
        expected=both(f"something that has {name}(…)", f"有 {name}(…) 可以调用的对象"),
        came=show(function),
    )
    return function(*args)


def new(submission: Any, input_num: int) -> Any:
    """Return a fresh perceptron with the student's own step function."""
    return call(submission, "Perceptron", input_num, submission.f)


def trained(perceptron: Any, input_vecs: Any, labels: Any, rounds: int, rate: float) -> Any:
    """Return the perceptron after its training; vectors and labels are lists, or handles of lists in the box."""
    call(perceptron, "train", input_vecs, labels, rounds, rate)
    return perceptron


def expect_predictions(perceptron: Any, input_vecs: list[list[float]], labels: list[int]) -> None:
    """Fail the check unless these labels are predicted."""
    came = [as_int(call(perceptron, "predict", vec), what=f"predict({vec})") for vec in input_vecs]
    wanted = both(f"{labels} for {input_vecs}", f"对 {input_vecs} 预测 {labels}")
    expect(came == labels, expected=wanted, came=show(came))


def expect_unchanged(now: object, before: object, name: str) -> None:
    """Fail the check unless a list that went into the box still has the items that it had."""
    expect(_same(now, before), expected=both(f"{name} still {before}", f"{name} 仍是 {before}"), came=show(now))


def _same(now: object, before: object) -> bool:
    # Types first: comparing an array that a student put into the list would give an array, not a bool.
    if isinstance(before, list):
        return isinstance(now, list) and len(now) == len(before) and all(map(_same, now, before))
    return type(now) is type(before) and now == before


class Separable(NamedTuple):
    """Points on both sides of a plane, none of them close to it."""

    train_vecs: list[list[float]]
    train_labels: list[int]
    new_vecs: list[list[float]]
    """halfway between two training points of one class: every plane that separates those has these on the same side"""
    new_labels: list[int]
    rounds: int


def separable(rng: np.random.Generator, dims: int) -> Separable:
    """Return points on a grid of 1/4: the 20 closest to a random plane on each side, but none closer than 0.2."""
    normal = rng.normal(size=dims)
    normal /= np.linalg.norm(normal)
    offset = rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)  # no plane through the origin: the bias matters
    grid = rng.integers(-8, 9, size=(400, dims)) / 4
    grid = grid[np.argsort(np.abs(grid @ normal + offset))]
    above, below = (grid[side > 0.2][:20] for side in (grid @ normal + offset, -grid @ normal - offset))
    points, labels = np.concatenate([above, below]), np.repeat([1, 0], 20)
    order = rng.permutation(40)
    halfway = np.concatenate([(group + group[rng.permutation(20)]) / 2 for group in (above, below)])
    margin = np.abs(points @ normal + offset).min() / math.hypot(1, offset)
    longest = (points**2).sum(axis=1).max() + 1  # its square
    return Separable(
        points[order].tolist(),
        labels[order].tolist(),
        halfway.tolist(),
        labels.tolist(),
        math.ceil(longest / margin**2) + 1,
    )


# --- Task 1.3: train ------------------------------------------------------------------------------------------------


@pytest.mark.points(5, task="1.3")
def test_learns_other_gates(submission: Any) -> None:
    """the same class learns OR, NAND and NOR"""
    for labels, rate in itertools.product((OR, NAND, NOR), (0.1, 0.5)):
        expect_predictions(trained(new(submission, 2), PAIRS, labels, ROUNDS, rate), PAIRS, labels)


@pytest.mark.points(4, task="1.3")
def test_learns_and_of_three_inputs(submission: Any) -> None:
    """it learns AND of three inputs"""
    cube = [list(vec) for vec in itertools.product([0, 1], repeat=3)]
    labels = [int(all(vec)) for vec in cube]
    for order in (1, -1):
        perceptron = trained(new(submission, 3), cube[::order], labels[::order], ROUNDS_OF_THREE, 0.1)
        expect_predictions(perceptron, cube, labels)


@pytest.mark.points(5, task="1.3")
def test_separates_what_can_be_separated(submission: Any, rng: np.random.Generator) -> None:
    """it separates random sets with a margin, also at points it was not trained on"""
    for dims in (2, 3, 5):
        points = separable(rng, dims)
        # Rate 0.5 on this grid is exact: no point halfway between two others falls to the wrong side by rounding.
        perceptron = trained(new(submission, dims), points.train_vecs, points.train_labels, points.rounds, 0.5)
        expect_predictions(perceptron, points.new_vecs, points.new_labels)


@pytest.mark.points(3, task="1.3")
def test_train_and_predict_leave_lists_alone(submission: Any) -> None:
    """train and predict do not change the lists they are given"""
    lists = {"input_vecs": PAIRS, "labels": OR, "input_vec": [1, 0]}
    in_box = {name: boxed(submission, value) for name, value in lists.items()}  # a plain argument would be a copy
    perceptron = trained(new(submission, 2), in_box["input_vecs"], in_box["labels"], 3, 0.5)
    # What does nothing at all leaves lists alone, too.
    as_int(call(perceptron, "predict", in_box["input_vec"]), what="predict([1, 0])")
    came = as_array(perceptron.weights, what="perceptron.weights", size=2)
    expect(bool(came.any()), expected=both("train changes the weights", "train 会改变权重"), came=show(came.tolist()))
    for name, before in lists.items():
        expect_unchanged(unboxed(in_box[name]), before, name)


# --- Task 1.5: errors -----------------------------------------------------------------------------------------------


@pytest.mark.points(5, task="1.5")
def test_errors_on_any_labels(submission: Any, rng: np.random.Generator) -> None:
    """errors counts right for labels and points that were not trained on"""
    points = separable(rng, 3)
    perceptron = trained(new(submission, 3), points.train_vecs, points.train_labels, 4, 0.5)
    says = [as_int(call(perceptron, "predict", vec), what=f"predict({vec})") for vec in points.new_vecs]
    for wrong in (0, 1, 5, len(says)):
        turned = set(rng.choice(len(says), size=wrong, replace=False).tolist())
        labels = [1 - label if index in turned else label for index, label in enumerate(says)]
        came = as_int(call(submission, "errors", perceptron, points.new_vecs, labels), what="errors(…)")
        expect(
            came == wrong,
            expected=both(
                f"{wrong} errors where predict says {says} and the labels are {labels}",
                f"预测是 {says}、标签是 {labels} 时，errors 为 {wrong}",
            ),
            came=show(came),
        )


@pytest.mark.points(4, task="1.5")
def test_one_perceptron_never_learns_xor(submission: Any) -> None:
    """after training one perceptron on XOR, errors is still greater than 0"""
    for rounds, rate in ((10, 0.5), (ROUNDS, 0.1)):
        perceptron = trained(new(submission, 2), PAIRS, XOR, rounds, rate)
        came = as_int(call(submission, "errors", perceptron, PAIRS, XOR), what="errors(…)")
        expect(1 <= came <= len(PAIRS), expected=both("1 to 4 errors on XOR", "在 XOR 上错 1 到 4 个"), came=show(came))


# --- Task 1.6: xor --------------------------------------------------------------------------------------------------


@pytest.mark.points(4, task="1.6")
def test_xor_of_floats_and_bools(submission: Any) -> None:
    """xor also takes 1.0 and 0.0, True and False"""
    for kind in (float, bool):
        vecs = [[kind(x) for x in vec] for vec in PAIRS]
        came = [as_int(call(submission, "xor", vec), what=f"xor({vec})") for vec in vecs]
        expect(came == XOR, expected=both(f"{XOR} for {vecs}", f"对 {vecs} 得到 {XOR}"), came=show(came))


@pytest.mark.points(4, task="1.6", needs=["test_errors_counts_wrong_predictions"])
def test_errors_and_xor_leave_lists_alone(submission: Any) -> None:
    """errors and xor do not change the lists they are given"""
    lists = {"input_vecs": PAIRS, "labels": NAND, "input_vec": [1, 0]}
    in_box = {name: boxed(submission, value) for name, value in lists.items()}
    call(submission, "errors", new(submission, 2), in_box["input_vecs"], in_box["labels"])
    as_int(call(submission, "xor", in_box["input_vec"]), what="xor([1, 0])")
    for name, before in lists.items():
        expect_unchanged(unboxed(in_box[name]), before, name)
