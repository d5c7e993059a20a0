from __future__ import annotations

import contextlib
import math
import tracemalloc
from functools import partial

import numpy as np
import pytest

from autograder.box.protocol import Handle
from autograder.judge import CheckFailed, as_array, as_int, as_number, both, expect, expectations, show
from autograder.judge.proxy import Core, RemoteObject
from autograder.messages import set_language
from tests.named import named

NAN, INF = math.nan, math.inf


class _Box:
    def forget(self, number):
        pass


def remote(type_name="Model"):
    """An object that stays in a box; using it would fail the test, for there is no box."""
    return RemoteObject(Core(None, _Box(), Handle(1, 1, type_name, callable=False)))


def failure(call, *arguments, **keywords):
    with pytest.raises(CheckFailed) as caught:
        call(*arguments, **keywords)
    return caught.value


# --- expect ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ok", [True, np.True_, np.bool_(1)])
def test_expect_lets_true_pass(ok):
    expect(ok, expected="x", came="y")


@pytest.mark.parametrize(
    "ok",
    [
        False, np.False_, None, 0, 1, 1.0, "yes", [True], (1,), {"a": 1}, NAN, NAN < 1, np.float64(NAN) < 1,
        np.array(True), np.array([True, True]), np.int64(1), remote(), object(),
    ],
    ids=named,
)  # fmt: skip
def test_expect_lets_nothing_else_pass(ok):
    error = failure(expect, ok, expected="one", came="two", hint="three")
    assert (error.expected, error.came, error.hint) == ("one", "two", "three")


def test_the_texts_come_in_the_language_in_force():
    texts = {"expected": both("four", "四"), "came": both("five", "五"), "hint": both("count", "数一数")}
    assert failure(expect, False, **texts).expected == "four"
    set_language("zh")
    try:
        error = failure(expect, False, **texts)
    finally:
        set_language("en")
    assert (error.expected, error.came, error.hint) == ("四", "五", "数一数")
    assert str(error) == "应为 四；实际为 五"


# --- as_array -------------------------------------------------------------------------------------------------------

ODD = [
    None,
    "3",
    b"3",
    1j,
    np.array([1j]),
    np.array(["a"]),
    np.array([None, 1], dtype=object),
    np.array(["2026-01-01"], dtype="datetime64[D]"),
    {"a": 1},
    {1, 2},
    [[1, 2], [3]],
    [[1, 2], 3],
    [1, None],
    [1, "2"],
    ["1", "2"],
    [1, 2j],
    [10**400],
    [10**30, 1],
    remote(),
    [remote(), remote()],
    (1, [remote()]),
    object(),
    {"a": remote()},
    [{"a": remote()}],
]


@pytest.mark.parametrize("value", ODD, ids=lambda value: named(value)[:30])
@pytest.mark.parametrize("convert", [as_array, as_number, as_int])
def test_what_is_no_number_fails_the_check_and_never_the_checks_code(convert, value):
    error = failure(convert, value, what="f(x)")
    assert error.expected.startswith("f(x) to be ")
    assert error.came


@pytest.mark.parametrize(
    ("value", "array"),
    [
        (3, 3.0),
        (True, 1.0),
        (2.5, 2.5),
        (NAN, NAN),
        (-INF, -INF),
        ([1, 2], [1.0, 2.0]),
        ((1, True), [1.0, 1.0]),
        ([[1, 2], [3, 4.5]], [[1.0, 2.0], [3.0, 4.5]]),
        ([], []),
        (np.array([True, False]), [1.0, 0.0]),
        (np.float32(0.5), 0.5),
        (np.array(7, dtype=np.uint8), 7.0),
        ([np.float32(1), np.array(2)], [1.0, 2.0]),
        (np.array([[1], [2]], dtype=np.int16), [[1.0], [2.0]]),
        (2**63, float(2**63)),
    ],
)
def test_as_array_takes_every_kind_of_number(value, array):
    came = as_array(value, what="f(x)")
    assert came.dtype == np.float64
    np.testing.assert_array_equal(came, np.array(array, dtype=np.float64), strict=True)


def test_as_array_is_a_copy():
    value = np.zeros(3)
    as_array(value, what="x")[0] = 1
    as_array(value, what="x", size=3)[1] = 1
    assert value.tolist() == [0, 0, 0]


def test_size_takes_a_column_for_a_row():
    for value in ([1, 2, 3], [[1], [2], [3]]):
        assert as_array(value, what="x", size=3).shape == (3,)


@pytest.mark.parametrize("shape", [(), (1,), (2,), (4,), (1, 3), (3, 2), (3, 1, 1)])
def test_size_takes_nothing_else(shape):
    error = failure(as_array, np.zeros(shape), what="predict(x)", size=3)
    assert error.expected == "predict(x) to have shape (3,) or (3, 1)"
    assert error.came == f"shape {shape}"


def test_shape_is_exact():
    assert as_array([[1, 2]], what="x", shape=(1, 2)).shape == (1, 2)
    error = failure(as_array, [1, 2], what="w", shape=(1, 2))
    assert (error.expected, error.came) == ("w to have shape (1, 2)", "shape (2,)")


# --- as_number, as_int ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), (True, 1.0), (0.5, 0.5), (np.float32(0.5), 0.5), (np.bool_(0), 0.0), (np.array(3), 3.0),
     (np.array([4]), 4.0), (np.array([[5.5]]), 5.5), (INF, INF), (-0.0, 0.0), (10**15, 1e15)],
)  # fmt: skip
def test_as_number(value, number):
    came = as_number(value, what="x")
    assert type(came) is float
    assert came == number


def test_as_number_hands_nan_on():
    assert math.isnan(as_number(NAN, what="x"))


@pytest.mark.parametrize("value", [[1], (1,), [], np.array([1, 2]), np.array([])])
def test_as_number_wants_one(value):
    assert failure(as_number, value, what="f(3)").expected == "f(3) to be one number"


@pytest.mark.parametrize(
    ("value", "number"), [(1, 1), (0, 0), (True, 1), (1.0, 1), (-0.0, 0), (np.int64(-7), -7), (np.array([1.0]), 1)]
)
def test_as_int_takes_whole_numbers_of_every_type(value, number):
    came = as_int(value, what="x")
    assert type(came) is int
    assert came == number


@pytest.mark.parametrize("value", [0.5, 1 - 1e-12, NAN, INF, -INF, np.float32("nan")])
def test_as_int_refuses_the_rest(value):
    assert failure(as_int, value, what="errors(x)").expected == "errors(x) to be a whole number"


@pytest.mark.parametrize("number", [2**53 + 1, 10**30, -(10**400), 10**4000, np.int64(2**53 + 1)])
def test_as_int_does_not_lose_digits(number):
    assert as_int(number, what="x") == number
    assert str(number)


@pytest.mark.parametrize("convert", [as_array, as_number])
def test_a_number_that_no_float_holds(convert):
    assert failure(convert, 10**400, what="f(x)").came.startswith("1000")


@pytest.mark.parametrize("convert", [as_array, as_number, as_int])
@pytest.mark.parametrize("digits", [4300, 5000])
def test_security_an_int_that_can_not_be_written_is_the_students_mistake(convert, digits):
    """A check that writes it into its text would raise, and the student would not be graded at all."""
    value = -(10**digits)
    with pytest.raises(ValueError, match="4300"):
        f"{value}"
    assert failure(convert, value, what="f(x)").came == "int of more than 4,300 digits"


def test_a_list_of_texts_costs_no_more_memory_than_it_has():
    value = ["x" * 100_000] + ["y"] * 500
    tracemalloc.start()
    try:
        failure(as_array, value, what="f(x)")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("convert", [show, *(partial(failure, call, what="f(x)") for call in (as_number, as_int))])
def test_security_to_show_a_large_array_takes_no_memory(convert):
    """As Python's numbers it takes nine times what it takes as bytes."""
    value = np.zeros(10_000_000, np.uint8)
    tracemalloc.start()
    try:
        convert(value)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("wanted", [{"shape": (3,)}, {"size": 3}])
def test_security_the_shape_is_looked_at_before_the_array_is_copied(wanted):
    value = np.zeros(10_000_000, np.uint8)
    tracemalloc.start()
    try:
        failure(as_array, value, what="f(x)", **wanted)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


# --- what came ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (None, "None (is a `return` missing?)"),
        ("3", "'3'"),
        (remote("Sequential"), "an object of type Sequential"),
        ([[1], []], "[[1], []]"),
    ],
)
def test_what_came_is_told_in_words(value, came):
    assert failure(as_array, value, what="f(x)").came == came


@pytest.mark.parametrize(
    ("type_name", "told"),
    [("map", True), ("zip", True), ("filter", True), ("generator", True), ("range", True), ("Model", False)],
)
def test_an_iterator_gets_the_hint_about_lists(type_name, told):
    assert ("list(" in failure(as_array, remote(type_name), what="f(x)").hint) is told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        ("a\x1b[2J", r"'a\x1b[2J'"),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (np.array([1.0, 2.0]), "[1.0, 2.0], shape (2,)"),
        (np.zeros((100, 3), dtype=np.float32), "array of shape (100, 3), float32: 0.0, 0.0, 0.0, …"),
        (np.array([]), "[], shape (0,)"),
        ([1, 2, 3], "[1, 2, 3]"),
        (list(range(100)), "list of 100: 0, 1, 2, …"),
        (tuple(range(7)), "tuple of 7: 0, 1, 2, …"),
        ("x" * 300, "'" + "x" * 99 + "…"),
        (NAN, "nan"),
    ],
)
def test_show(value, shown):
    assert show(value) == shown


@pytest.mark.parametrize("value", [[["a" * 5000] * 3] * 9, {"k": list(range(9999))}, "长" * 999, np.zeros((9,) * 4)])
def test_show_is_short(value):
    assert len(show(value)) < 400


def test_show_says_what_a_handle_is_without_asking_the_box():
    assert show(remote("Model")) == "<Model in the box>"


# --- values that are small and would become large ---------------------------------------------------------------------


def peak_bytes(function, *arguments, **named):
    tracemalloc.start()
    try:
        with contextlib.suppress(CheckFailed):
            function(*arguments, **named)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


LARGE = np.zeros(1 << 25, np.uint8)  # 32 MB, and eight times that in floats


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "value", [np.empty((1 << 31, 0)), LARGE, [LARGE], {"k": LARGE}, [np.ones(900)] * 3000, {0: [np.ones(900)] * 3000}]
)
def test_security_showing_a_value_takes_no_more_memory_than_it_has(value):
    assert peak_bytes(show, value) < 32 << 20
    assert len(show(value)) < 400


@pytest.mark.parametrize("asked", [{"size": 3}, {"shape": (3, 4)}, {"size": 1 << 24, "shape": (3,)}])
def test_security_an_array_of_a_wrong_shape_is_not_converted_first(asked):
    assert peak_bytes(as_array, LARGE, what="f(x)", **asked) < 1 << 20


def test_security_an_array_has_no_more_values_than_a_message_could_carry_as_floats(monkeypatch):
    monkeypatch.setattr(expectations, "_MOST_VALUES", 1000)
    assert as_array(np.zeros(1000, np.uint8), what="f(x)").dtype == np.float64
    assert failure(as_array, np.zeros(1001, np.uint8), what="f(x)").expected == "f(x) to be at most 1,000 numbers"
    assert failure(as_array, [np.zeros(600, np.uint8), np.zeros(600)], what="f(x)").expected == "f(x) to be numbers"


def test_as_array_still_takes_a_column_where_rows_are_wanted():
    assert as_array(np.ones((3, 1)), what="f(x)", size=3, shape=(3,)).shape == (3,)
