"""The checks of homework 2 as Otter-Grader's tests: the same data, trainings, seeds and thresholds (see peers.py).

Otter calls each with the submission's own functions, in the submission's own process.
"""

import functools

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False

name = "hw2"
points = 100

SEEDS = (0, 1, 2)
SADDLE, DOME = (-0.5, 0.9, -1.4, -0.6), (-1.4, -0.4, 1.2, -0.5)
FULL = 0.02  # nmse


def points_of(n, seed):
    return np.random.default_rng(seed).uniform(-2, 2, size=(n, 2)).astype(np.float32)


def noisy(values, seed):
    return (values + np.random.default_rng(seed).normal(0, 0.1, size=len(values))).astype(np.float32)[:, None]


def bowl(x):
    return (x.astype(np.float64) ** 2).sum(axis=1)


def plane(x):
    return 4 + x[:, 0].astype(np.float64) - x[:, 1]


def surface(coefficients, x):
    a, b, c, d = coefficients
    x1, x2 = x.astype(np.float64).T
    return a * x1**2 + b * x2**2 + c * x1 * x2 + d


BOWL_X, PLANE_X, FEW_X, NEW_X = points_of(1000, 20), points_of(500, 22), points_of(64, 24), points_of(1000, 26)
TRAIN_X, UNSEEN_X = points_of(800, 31), points_of(1000, 32)
BOWL_Y, PLANE_Y, FEW_Y = noisy(bowl(BOWL_X), 21), noisy(plane(PLANE_X), 23), noisy(bowl(FEW_X), 25)


@functools.cache
def on_bowl(fit, seed):
    """Checks that need the same training share it, as grade's do."""
    return fit(BOWL_X, BOWL_Y, seed=seed)


@functools.cache
def on_plane(fit):
    return fit(PLANE_X, PLANE_Y, seed=0)


def predictions(predict, model, x):
    return np.asarray(predict(model, x), dtype=np.float64).reshape(len(x))


def nmse(predicted, true):
    return ((predicted - true) ** 2).mean() / true.var()


@test_case(points=10)
def test_uses_the_data_it_is_given(fit, predict):
    predicted = predictions(predict, on_plane(fit), NEW_X)
    assert np.corrcoef(predicted, plane(NEW_X))[0, 1] > 0.5


@test_case(points=5)
def test_is_not_linear(fit, predict):
    x = NEW_X[:200]
    predicted = predictions(predict, on_bowl(fit, 0), np.concatenate([x, -x, np.zeros((1, 2), np.float32)]))
    assert np.median(np.abs(predicted[:200] + predicted[200:400] - 2 * predicted[400])) > 0.5


@test_case(points=15)
def test_generalises(fit, predict):
    values = [nmse(predictions(predict, on_bowl(fit, seed), NEW_X), bowl(NEW_X)) for seed in SEEDS]
    assert np.median(values) <= FULL


@test_case(points=4)
def test_predict_has_one_value_per_row(fit, predict):
    assert np.shape(predict(on_bowl(fit, 0), NEW_X)) in {(1000,), (1000, 1)}


@test_case(points=3)
def test_predict_takes_a_single_row(fit, predict):
    assert np.shape(predict(on_bowl(fit, 0), NEW_X[:1])) in {(1,), (1, 1)}


@test_case(points=3)
def test_predict_treats_each_row_by_itself(fit, predict):
    model = on_bowl(fit, 0)
    assert np.abs(predictions(predict, model, NEW_X)[-8:] - predictions(predict, model, NEW_X[-8:])).max() <= 1e-3


@test_case(points=8)
def test_same_seed_same_result(fit, predict):
    first, second = (predictions(predict, model, NEW_X) for model in (on_plane(fit), fit(PLANE_X, PLANE_Y, seed=0)))
    assert np.abs(first - second).max() <= 2e-3


@test_case(points=7)
def test_leaves_its_inputs_alone(fit, predict):
    x, y, new = FEW_X.copy(), FEW_Y.copy(), NEW_X[:64].copy()
    predict(fit(x, y, seed=0), new)
    for after, before in ((x, FEW_X), (y, FEW_Y), (new, NEW_X[:64])):
        np.testing.assert_array_equal(after, before)


def held_out(fit, predict, coefficients, seed):
    model = fit(TRAIN_X, noisy(surface(coefficients, TRAIN_X), 33), seed=seed)
    return nmse(predictions(predict, model, UNSEEN_X), surface(coefficients, UNSEEN_X))


@test_case(points=30, hidden=True)
def test_fits_a_surface_it_has_not_seen(fit, predict):
    assert np.median([held_out(fit, predict, SADDLE, seed) for seed in SEEDS]) <= FULL


@test_case(points=15, hidden=True)
def test_fits_negative_labels(fit, predict):
    assert held_out(fit, predict, DOME, SEEDS[0]) <= FULL
