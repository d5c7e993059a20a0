"""Public checks of homework 1: the perceptron, what it learns, and what three of them can do.

Weights are compared exactly, and only at the rates 0.5 and 0.25 on inputs that are multiples of 1/4: there every
product and every sum is exact in binary floating point, in whatever order it is added up. At any other rate two correct
programs may differ in the last digit, so there only behaviour counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from autograder.judge import as_array, as_int, as_number, both, boxed, expect, show

PAIRS = [[1, 1], [0, 0], [1, 0], [0, 1]]  # in the lesson's order
AND = [1, 0, 0, 0]
NAND = [0, 1, 1, 1]
XOR = [0, 0, 1, 1]
ROUNDS = 60  # a gate of two inputs takes at most 51 corrections, and each round before the last has at least one


class State(NamedTuple):
    """What a perceptron has learned."""

    weights: list[float]
    bias: float

    def __str__(self) -> str:
        return f"weights = {self.weights}, bias = {self.bias}"


def by_the_rule(input_vecs: list[list[float]], labels: list[int], rounds: int, rate: float) -> State:
    """Return what the perceptron rule comes to, starting from zeros."""
    weights, bias = [0.0] * len(input_vecs[0]), 0.0
    for _ in range(rounds):
        for vec, label in zip(input_vecs, labels, strict=True):
            step = rate * (label - fires(State(weights, bias), vec))
            weights = [w + step * x for w, x in zip(weights, vec, strict=True)]
            bias += step
    return State(weights, bias)


def fires(state: State, vec: list[float]) -> int:
    """Return what the step function says for these weights and this bias."""
    return int(sum(w * x for w, x in zip(state.weights, vec, strict=True)) + state.bias > 0)


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
    perceptron = call(submission, "Perceptron", input_num, submission.f)
    expect(
        hasattr(perceptron, "predict"),  # plain data has none, and asking it for weights would raise here
        expected=both("an object with predict(…)", "有 predict(…) 方法的对象"),
        came=show(perceptron),
    )
    return perceptron


def trained(submission: Any, input_vecs: list[list[float]], labels: list[int], rounds: int, rate: float) -> Any:
    """Return a fresh perceptron after its training. What train returns does not matter."""
    perceptron = new(submission, len(input_vecs[0]))
    call(perceptron, "train", input_vecs, labels, rounds, rate)
    return perceptron


def predicted(perceptron: Any, input_vecs: list[list[float]]) -> list[int]:
    """Return one label an input vector."""
    return [as_int(call(perceptron, "predict", vec), what=f"predict({vec})") for vec in input_vecs]


def state_of(perceptron: Any, input_num: int) -> State:
    """Return weights and bias, in whatever form the student keeps them."""
    weights = as_array(perceptron.weights, what="perceptron.weights", size=input_num)
    return State(weights.tolist(), as_number(perceptron.bias, what="perceptron.bias"))


def expect_state(came: State, wanted: State, when_en: str, when_zh: str) -> None:
    """Fail the check unless weights and bias are exactly these."""
    expect(came == wanted, expected=both(f"{wanted} {when_en}", f"{when_zh} {wanted}"), came=str(came))


# --- Task 1.1: f ----------------------------------------------------------------------------------------------------


@pytest.mark.points(2, task="1.1")
def test_f_tells_positive_from_negative(submission: Any) -> None:
    """f is 1 for positive numbers and 0 for negative ones"""
    for x in (3, 0.25, 1e-9, -2, -0.5, -1e-9):
        came = as_int(call(submission, "f", x), what=f"f({x})")
        expect(came == int(x > 0), expected=f"f({x}) = {int(x > 0)}", came=show(came))


@pytest.mark.points(3, task="1.1", needs=["test_f_tells_positive_from_negative"])
def test_f_of_zero_is_zero(submission: Any) -> None:
    """f(0) is 0: only what is greater than 0 fires"""
    for x in (0, 0.0):
        came = as_int(call(submission, "f", x), what=f"f({x})")
        expect(came == 0, expected=f"f({x}) = 0", came=show(came))


# --- Task 1.2: __init__, predict ------------------------------------------------------------------------------------


@pytest.mark.points(5, task="1.2")
def test_starts_with_zeros(submission: Any) -> None:
    """a new perceptron has one weight an input, and all weights and the bias are 0"""
    for input_num in (2, 3, 5):
        came = state_of(new(submission, input_num), input_num)
        expect_state(came, State([0.0] * input_num, 0.0), f"for {input_num} inputs", f"{input_num} 个输入时")


@pytest.mark.points(5, task="1.2", needs=["test_starts_with_zeros"])
def test_predict_asks_the_activator(submission: Any) -> None:
    """predict returns what the activator it was given says, not always what f says"""
    # list.count of [0.0] is an activator that lives in the box: 1 for 0, else 0; at 0 the opposite of f.
    fires_at_zero_only = boxed(submission, [0.0]).count
    came = predicted(call(submission, "Perceptron", 2, fires_at_zero_only), [[3, -1]])
    expect(
        came == [1],
        expected=both(
            "predict([3, -1]) = 1 from a new perceptron whose activator returns 1 for 0",
            "激活函数在 0 处返回 1 时，新感知器的 predict([3, -1]) = 1",
        ),
        came=show(came[0]),
    )


# --- Task 1.3: train ------------------------------------------------------------------------------------------------


@pytest.mark.points(4, task="1.3")
def test_one_update(submission: Any) -> None:
    """a wrong prediction moves weights and bias by rate × (label - output), a right one moves nothing"""
    for label, wanted in ((1, State([0.5, -1.0, 0.25], 0.5)), (0, State([0.0, 0.0, 0.0], 0.0))):
        expect_state(
            state_of(trained(submission, [[1, -2, 0.5]], [label], 1, 0.5), 3),
            wanted,
            f"after the one sample [1, -2, 0.5] with label {label}, rate 0.5",
            f"只用样本 [1, -2, 0.5]（标签 {label}）、学习率 0.5 训练一轮后",
        )


@pytest.mark.points(3, task="1.3")
def test_rate_scales_the_update(submission: Any) -> None:
    """half the rate makes half the step"""
    for rate, wanted in ((0.5, State([2.0, -1.0], 0.5)), (0.25, State([1.0, -0.5], 0.25))):
        perceptron = trained(submission, [[4, -2]], [1], 1, rate)
        expect_state(
            state_of(perceptron, 2),
            wanted,
            f"after the one sample [4, -2] with label 1, rate {rate}",
            f"只用样本 [4, -2]（标签 1）、学习率 {rate} 训练一轮后",
        )


@pytest.mark.points(4, task="1.3", needs=["test_one_update"])
def test_updates_sample_by_sample(submission: Any, rng: np.random.Generator) -> None:
    """each sample is predicted with the weights that the sample before it has left"""
    input_vecs = (rng.integers(-8, 9, size=(12, 3)) / 4).tolist()
    labels = rng.integers(0, 2, size=12).tolist()
    for count in range(1, 13):  # growing, so that the first wrong update is the one that is shown
        samples = input_vecs[:count], labels[:count]
        expect_state(
            state_of(trained(submission, *samples, 1, 0.5), 3),
            by_the_rule(*samples, 1, 0.5),
            f"after one round at rate 0.5 over {samples[0]} with labels {samples[1]}",
            f"输入 {samples[0]}、标签 {samples[1]}、学习率 0.5 训练一轮后",
        )


@pytest.mark.points(3, task="1.3", needs=["test_updates_sample_by_sample"])
def test_iteration_counts_rounds(submission: Any) -> None:
    """iteration is the number of rounds through all samples"""
    for rounds in (1, 2, 3, 4):
        expect_state(
            state_of(trained(submission, PAIRS, AND, rounds, 0.5), 2),
            by_the_rule(PAIRS, AND, rounds, 0.5),
            f"after AND at rate 0.5 with iteration = {rounds}",
            f"用 AND、学习率 0.5、iteration = {rounds} 训练后",
        )


@pytest.mark.points(3, task="1.3")
def test_predict_uses_every_weight_and_the_bias(submission: Any) -> None:
    """after training, predict says 1 exactly where w·x + b is greater than 0"""
    perceptron = trained(submission, [[2, -1]], [1], 1, 0.5)
    state = state_of(perceptron, 2)
    expect(
        bool(np.isfinite([*state.weights, state.bias]).all()) and any(state.weights),
        expected=both("finite weights, not all 0, after one wrong prediction", "预测错一次后，权重有限且不全为 0"),
        came=str(state),
    )
    for vec in ([0, 0], [-0.25, 0], [0, 0.75], [0, 2], [1, 0], [-1, 0], [-1, -2]):
        came = predicted(perceptron, [vec])[0]
        wanted = fires(state, vec)
        expect(
            came == wanted,
            expected=both(f"predict({vec}) = {wanted} with {state}", f"{state} 时，predict({vec}) = {wanted}"),
            came=show(came),
        )


@pytest.mark.points(3, task="1.3", needs=["test_starts_with_zeros"])
def test_perceptrons_share_nothing(submission: Any) -> None:
    """training one perceptron leaves another one as it is"""
    first = trained(submission, PAIRS, AND, 3, 0.5)
    before = state_of(first, 2)
    second = new(submission, 2)
    expect_state(state_of(second, 2), State([0.0, 0.0], 0.0), "in a second, new perceptron", "第二个新建的感知器")
    call(second, "train", PAIRS, NAND, 1, 0.5)
    expect_state(state_of(first, 2), before, "in the first one still", "第一个感知器仍然是")


# --- Task 1.4: train_and_perceptron ---------------------------------------------------------------------------------


@pytest.mark.points(8, task="1.4")
def test_learns_and(submission: Any) -> None:
    """train_and_perceptron returns a perceptron that computes AND"""
    untrained = predicted(new(submission, 2), PAIRS)
    expect(
        untrained != AND,
        expected=both("AND is learned: a new perceptron does not know it", "AND 是学会的：新建的感知器还不会"),
        came=show(untrained),
    )
    came = predicted(call(submission, "train_and_perceptron"), PAIRS)
    expect(came == AND, expected=both(f"{AND} for {PAIRS}", f"对 {PAIRS} 预测 {AND}"), came=show(came))


# --- Task 1.5: errors -----------------------------------------------------------------------------------------------


@pytest.mark.points(5, task="1.5")
def test_errors_counts_wrong_predictions(submission: Any) -> None:
    """errors is the number of samples whose prediction differs from the label"""
    perceptron = new(submission, 2)
    says = predicted(perceptron, PAIRS)
    for wrong in range(5):  # labels that differ from the predictions in exactly so many places
        labels = [1 - label for label in says[:wrong]] + says[wrong:]
        came = as_int(call(submission, "errors", perceptron, PAIRS, labels), what="errors(…)")
        expect(
            came == wrong,
            expected=both(
                f"{wrong} errors where predict says {says} and the labels are {labels}",
                f"预测是 {says}、标签是 {labels} 时，errors 为 {wrong}",
            ),
            came=show(came),
        )


@pytest.mark.points(4, task="1.5")
def test_errors_only_looks(submission: Any) -> None:
    """errors counts for the perceptron it is given, and does not train it"""
    for gate in (AND, NAND):
        perceptron = trained(submission, PAIRS, gate, ROUNDS, 0.5)
        before = state_of(perceptron, 2)
        says = predicted(perceptron, PAIRS)
        wanted = sum(label != wish for label, wish in zip(says, XOR, strict=True))
        came = as_int(call(submission, "errors", perceptron, PAIRS, XOR), what="errors(…)")
        expect(
            came == wanted,
            expected=both(
                f"{wanted} errors where predict says {says} and the labels are {XOR}",
                f"预测是 {says}、标签是 {XOR} 时，errors 为 {wanted}",
            ),
            came=show(came),
        )
        expect_state(state_of(perceptron, 2), before, "after errors as before it", "调用 errors 前后都应是")


# --- Task 1.6: xor --------------------------------------------------------------------------------------------------


@pytest.mark.points(10, task="1.6")
def test_xor_table(submission: Any) -> None:
    """xor is 1 where exactly one of the two inputs is 1"""
    came = [as_int(call(submission, "xor", vec), what=f"xor({vec})") for vec in PAIRS]
    expect(came == XOR, expected=both(f"{XOR} for {PAIRS}", f"对 {PAIRS} 得到 {XOR}"), came=show(came))


@pytest.mark.points(4, task="1.6", needs=["test_xor_table"])
def test_xor_again_after_other_trainings(submission: Any) -> None:
    """xor answers the same after other perceptrons were trained, and leaves those as they are"""
    other = trained(submission, PAIRS, NAND, 2, 0.5)
    before = state_of(other, 2)
    for vec, wanted in zip(PAIRS[::-1] * 2, XOR[::-1] * 2, strict=True):
        came = as_int(call(submission, "xor", vec), what=f"xor({vec})")
        expect(came == wanted, expected=f"xor({vec}) = {wanted}", came=show(came))
    expect_state(
        state_of(other, 2), before, "in another perceptron, after xor as before it", "xor 前后，别的感知器都应是"
    )
