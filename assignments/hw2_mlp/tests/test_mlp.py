"""Public checks of homework 2: an MLP that fits a surface.

They run in the judge; ``submission`` is your module, in a process of its own. Everything that is compared with your
predictions is calculated here, in NumPy. Four trainings in all: on the bowl x1² + x2² (shared by most checks), on a
plane, the same again, and one on few points.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from autograder.judge import as_array, both, boxed, expect, fresh, unboxed

NOISE = 0.1
"""Standard deviation of what is added to the training labels; the labels that measure the fit carry none."""


def points(n: int, seed: int) -> np.ndarray:
    """Return ``n`` points of the square [-2, 2]², float32 [n, 2]."""
    return np.random.default_rng(seed).uniform(-2, 2, size=(n, 2)).astype(np.float32)


def noisy(surface: np.ndarray, seed: int) -> np.ndarray:
    """Return the values [n] of a surface as training labels: float32 [n, 1], with noise."""
    noise = np.random.default_rng(seed).normal(0, NOISE, size=surface.shape)
    return (surface + noise).astype(np.float32)[:, None]


def bowl(x: np.ndarray) -> np.ndarray:
    """Return x1² + x2² for each row, [n]."""
    return (x.astype(np.float64) ** 2).sum(axis=1)


def plane(x: np.ndarray) -> np.ndarray:
    """Return 4 + x1 - x2 for each row, [n]: labels that have nothing to do with the bowl."""
    return 4 + x[:, 0].astype(np.float64) - x[:, 1]


BOWL_X = points(1000, seed=20)
BOWL_Y = noisy(bowl(BOWL_X), seed=21)
PLANE_X = points(500, seed=22)
PLANE_Y = noisy(plane(PLANE_X), seed=23)
FEW_X = points(64, seed=24)
FEW_Y = noisy(bowl(FEW_X), seed=25)
NEW_X = points(1000, seed=26)
"""Points that no training sees."""


def predictions(submission: Any, model: Any, x: np.ndarray) -> np.ndarray:
    """Return what ``predict`` says for ``x``, float64 [n], whichever of the allowed shapes it came in."""
    return as_array(submission.predict(model, x), what="predict(model, x)", size=len(x))


def nmse(predicted: np.ndarray, true: np.ndarray) -> float:
    """Return the mean squared error divided by the variance of the true values: 1.0 is what their mean would get."""
    with np.errstate(all="ignore"):  # huge or infinite predictions are the student's result, not our warning
        return float(((predicted - true) ** 2).mean() / true.var())


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation, NaN if one of the two is constant or not finite."""
    with np.errstate(all="ignore"):
        a, b = a - a.mean(), b - b.mean()
        return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


# Task 2.1: fit


def why_labels_are_not_followed(predicted: np.ndarray) -> Any:
    """Return the likeliest cause, in both languages, by how predictions compare with labels from 0 to 8."""
    if not np.isfinite(predicted).all():
        return both("The training diverged: lower the learning rate.", "训练发散了：调小学习率。")
    if predicted.max() < predicted.min() + 5:
        return both(
            "The network has hardly learnt anything. Print the two shapes that go into the loss: [n] against [n, 1] "
            "makes an [n, n] matrix without an error. In PyTorch, call zero_grad before each backward.",
            "网络几乎什么也没学到。把送进损失函数的两个形状打印出来：[n] 和 [n, 1] 会广播成 [n, n] 的矩阵，而且不报错。"
            "用 PyTorch 时，每次 backward 之前先调用 zero_grad。",
        )
    return both(
        "Train on the arguments x and y, not on data made inside fit.",
        "用参数 x 和 y 训练，不要在 fit 里自己造数据。",
    )


@pytest.mark.points(10, task="2.1")
def test_uses_the_data_it_is_given(submission: Any) -> None:
    """fit learns from the x and y it is given, whatever they are"""
    model = submission.fit(PLANE_X, PLANE_Y, seed=0)
    predicted, true = predictions(submission, model, NEW_X), plane(NEW_X)
    # Only the direction counts here, so that a short training or a straight model is not told the wrong thing.
    follows = correlation(predicted, true)
    low, high = predicted.min(), predicted.max()
    expect(
        follows > 0.5,
        expected=both(
            "trained on y = 4 + x1 - x2, predictions rise and fall with these labels (correlation above 0.5)",
            "用 y = 4 + x1 - x2 训练后，预测值随这些标签一起升降（相关系数大于 0.5）",
        ),
        came=both(
            f"correlation {follows:.2f}; predictions from {low:.3g} to {high:.3g}, labels from 0 to 8",
            f"相关系数 {follows:.2f}；预测值在 {low:.3g} 到 {high:.3g} 之间，标签在 0 到 8 之间",
        ),
        hint=why_labels_are_not_followed(predicted),
    )


@pytest.mark.points(5, task="2.1", needs=["test_uses_the_data_it_is_given"])
def test_is_not_linear(submission: Any) -> None:
    """the trained model is really curved, not a plane"""
    model = submission.fit(BOWL_X, BOWL_Y, seed=0)
    x = NEW_X[:200]
    predicted = predictions(submission, model, np.concatenate([x, -x, np.zeros((1, 2), np.float32)]))
    # Any plane f has f(x) + f(-x) = 2 f(0), exactly; on the bowl the two differ by 2 (x1² + x2²).
    with np.errstate(all="ignore"):
        bend = float(np.median(np.abs(predicted[:200] + predicted[200:400] - 2 * predicted[400])))
    expect(
        bend > 0.5,
        expected=both(
            "f(x) + f(-x) far from 2·f(0): about 5 for x1² + x2²", "f(x) + f(-x) 远离 2·f(0)：对 x1² + x2² 约差 5"
        ),
        came=both(f"they differ by {bend:.2g}; 0 is a plane", f"只差 {bend:.2g}；差 0 就是平面"),
    )


@pytest.mark.points(15, task="2.1", needs=["test_uses_the_data_it_is_given"])
def test_generalises(submission: Any, metric: Callable[[str, float], None], seeds: Sequence[int]) -> None:
    """the fit of x1² + x2² holds on points it was not trained on"""
    for seed in seeds:
        model = submission.fit(BOWL_X, BOWL_Y, seed=seed)
        metric("nmse", nmse(predictions(submission, model, NEW_X), bowl(NEW_X)))


# Task 2.2: predict


@pytest.mark.points(4, task="2.2")
def test_predict_has_one_value_per_row(submission: Any) -> None:
    """predict returns one number for each row of x"""
    model = submission.fit(BOWL_X, BOWL_Y, seed=0)
    y = as_array(submission.predict(model, NEW_X), what="predict(model, x)")
    n = len(NEW_X)
    expect(
        y.shape in {(n,), (n, 1)},
        expected=both(f"shape [{n}, 1] or [{n}] for x of shape [{n}, 2]", f"x 为 [{n}, 2] 时形状为 [{n}, 1] 或 [{n}]"),
        came=both(f"shape {list(y.shape)}", f"形状 {list(y.shape)}"),
    )


@pytest.mark.points(3, task="2.2", needs=["test_predict_has_one_value_per_row"])
def test_predict_takes_a_single_row(submission: Any) -> None:
    """predict works for a single row, too"""
    model = submission.fit(BOWL_X, BOWL_Y, seed=0)
    y = as_array(submission.predict(model, NEW_X[:1]), what="predict(model, x)")
    expect(
        y.shape in {(1,), (1, 1)},
        expected=both("shape [1, 1] or [1] for x of shape [1, 2]", "x 为 [1, 2] 时形状为 [1, 1] 或 [1]"),
        came=both(f"shape {list(y.shape)}", f"形状 {list(y.shape)}"),
    )


@pytest.mark.points(3, task="2.2", needs=["test_predict_has_one_value_per_row"])
def test_predict_treats_each_row_by_itself(submission: Any) -> None:
    """the prediction for a row does not depend on the other rows"""
    model = submission.fit(BOWL_X, BOWL_Y, seed=0)
    # The last rows, not the first: dropout left on draws the same mask for the first rows of both calls.
    among_all = predictions(submission, model, NEW_X)[-8:]
    among_eight = predictions(submission, model, NEW_X[-8:])
    with np.errstate(all="ignore"):
        difference = float(np.abs(among_all - among_eight).max())
    expect(
        difference <= 1e-3,  # other batch sizes round differently, by about 1e-6; a NaN fails
        expected=both(
            "the last 8 rows get the same values with and without the other rows (within 0.001)",
            "最后 8 行单独预测，与和其他行一起预测，结果相同（误差不超过 0.001）",
        ),
        came=both(f"they differ by up to {difference:.2g}", f"最多相差 {difference:.2g}"),
    )


# Task 2.3: a fit to rely on


@pytest.mark.points(8, task="2.3", needs=["test_uses_the_data_it_is_given"])
def test_same_seed_same_result(submission: Any) -> None:
    """fit with the same data and the same seed gives the same model"""
    first = predictions(submission, submission.fit(PLANE_X, PLANE_Y, seed=0), NEW_X)
    # Predictions come before the second training: a model kept in a global would change under our eyes.
    second = predictions(submission, fresh(submission.fit)(PLANE_X, PLANE_Y, seed=0), NEW_X)
    with np.errstate(all="ignore"):
        difference = float(np.abs(first - second).max())
    expect(
        difference <= 2e-3,  # GPUs add in any order; another seed differs by 0.05 and more
        expected=both(
            "two trainings with seed 0 predict the same (within 0.002)",
            "用种子 0 训练两次，预测相同（误差不超过 0.002）",
        ),
        came=both(f"predictions differ by up to {difference:.2g}", f"预测最多相差 {difference:.2g}"),
    )


@pytest.mark.points(7, task="2.3", needs=["test_uses_the_data_it_is_given"])
def test_leaves_its_inputs_alone(submission: Any) -> None:
    """fit and predict do not change the arrays they are given"""
    rows = NEW_X[:64]
    x, y, new_x = (boxed(submission, array) for array in (FEW_X, FEW_Y, rows))
    submission.predict(submission.fit(x, y, seed=0), new_x)
    for name, handle, before in (("fit: x", x, FEW_X), ("fit: y", y, FEW_Y), ("predict: x", new_x, rows)):
        after = as_array(unboxed(handle), what=name, shape=before.shape)
        changed = int((after != before).sum())
        expect(
            changed == 0,
            expected=both(f"{name} is afterwards what it was before", f"{name} 在调用前后完全一样"),
            came=both(f"{changed} of {before.size} entries changed", f"{before.size} 个元素中有 {changed} 个变了"),
        )
