"""What checks say things with: expectations whose failure a student can read, and conversions that tolerate anything.

A value from the box may be whatever the student's function returned. `as_array` and its siblings make plain numbers of
it or fail the check with what came; a check that calculated with the raw value would raise, and that is our fault.
"""

from __future__ import annotations

import math
import reprlib
from typing import Any

import numpy as np

from autograder.judge.proxy import RemoteObject, type_name
from autograder.messages import Text, text

_SHOWN_CHARS = 100
_SHOWN_ITEMS = 6
_LIGHT_ITEMS = 1000  # a value of more is not written out to be cut: an array of a thousand numbers takes 3 ms
_MOST_WRITABLE_BITS = 14_000  # 4,215 decimal digits; Python writes no int of more than 4,300
_MOST_VALUES = 1 << 27  # 1 GB as float64, what one message may carry; as uint8 that would be 8 GB here


class CheckFailed(AssertionError):
    """A check's expectation does not hold. The texts are for the student."""

    def __init__(self, expected: str, came: str, hint: str = "") -> None:
        super().__init__(text("check.expected_came", expected=expected, came=came))
        self.expected, self.came, self.hint = expected, came, hint


def both(en: str, zh: str) -> Text:
    """Return a text in both languages."""
    return Text(en, zh)


def expect(ok: object, *, expected: str | Text, came: str | Text, hint: str | Text | None = None) -> None:
    """Fail the check unless `ok`.

    Args:
        ok: a plain bool; anything else than True (a NaN comparison, an array) fails.
        expected: what should have been.
        came: what was; `show(value)` makes a short text of a value.
        hint: one concrete thing to try; without it the check's hint in assignment.yml is used.
    """
    # `is True`, not truth: an array or a handle would be true, or raise, whatever it holds.
    if ok is True or (isinstance(ok, np.bool_) and bool(ok)):
        return
    raise CheckFailed(str(expected), str(came), "" if hint is None else str(hint))


def show(value: object) -> str:
    """Return a short text of a value from the box."""
    if isinstance(value, np.ndarray):
        return _show_array(value)
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, list | tuple) and len(value) > _SHOWN_ITEMS:
        return text("show.list", type=type(value).__name__, count=len(value), items=_items(value))
    try:
        shown = repr(value) if _size(value) <= _LIGHT_ITEMS else reprlib.repr(value)
    except ValueError:  # Python does not write an int of more than 4,300 digits
        return text("show.huge", type=type(value).__name__)
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}…"


def _items(values: Any) -> str:
    return ", ".join(show(item) for item in values[:3])


def _size(value: object) -> int:
    """Return how many values there are in a value, the containers included."""
    if isinstance(value, np.ndarray):
        return 1 + value.size
    if isinstance(value, list | tuple):
        return 1 + sum(map(_size, value))
    if isinstance(value, dict):
        return 1 + sum(map(_size, value)) + sum(map(_size, value.values()))
    return 1


def _show_array(array: np.ndarray[Any, Any]) -> str:
    if not array.size:
        # SECURITY: tolist() of shape (2**30, 0), an array of no bytes, makes as many empty lists.
        return text("show.small_array", values=[], shape=array.shape)
    if array.size <= _SHOWN_ITEMS:
        return text("show.small_array", values=array.tolist(), shape=array.shape)
    return text("show.array", shape=array.shape, dtype=array.dtype, values=_items(array.flat[:3].tolist()))


def as_array(
    value: object, *, what: str, shape: tuple[int, ...] | None = None, size: int | None = None
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a value from the box as a new float64 array, or fail the check with what came.

    Args:
        value: an array, a number, or (nested) lists of numbers.
        what: what it is, for the message: "predict(model, x)".
        shape: exactly this shape.
        size: n: accepts [n] and [n, 1], and returns [n].
    """
    plain = _plain_array(value)
    if plain.dtype.kind not in "biuf":
        raise CheckFailed(text("expect.numbers", what=what), _came(value), _hint(value))
    came_shape = text("expect.came_shape", shape=plain.shape)
    if size is not None and plain.shape not in {(size,), (size, 1)}:
        raise CheckFailed(text("expect.size", what=what, size=size), came_shape)
    if shape is not None and (plain.shape if size is None else (size,)) != shape:
        raise CheckFailed(text("expect.shape", what=what, shape=shape), came_shape)
    if plain.size > _MOST_VALUES:
        raise CheckFailed(text("expect.at_most", what=what, most=f"{_MOST_VALUES:,}"), came_shape)
    # SECURITY: last. What is of no use to the check is not to be made eight times as large first.
    array = plain.astype(np.float64)
    return array if size is None else array.reshape(size)


def as_number(value: object, *, what: str) -> float:
    """Return a number from the box (Python's, numpy's, an array of one) as a float, or fail the check."""
    array = _plain_array(value)
    if array.dtype.kind not in "biuf" or array.size != 1 or isinstance(value, list | tuple):
        raise CheckFailed(text("expect.number", what=what), _came(value))
    return float(array.reshape(-1)[0])


def as_int(value: object, *, what: str) -> int:
    """Return a whole number from the box (1, True, np.int64(1), 1.0) as an int, or fail the check."""
    if isinstance(value, int | np.integer):
        number = int(value)  # not by way of float, which has 53 bits
        # SECURITY: checks write it into their texts. Where Python does not, that raises, and would be our fault.
        if number.bit_length() > _MOST_WRITABLE_BITS:
            raise CheckFailed(text("expect.int", what=what), _came(value))
        return number
    as_float = as_number(value, what=what)
    if not math.isfinite(as_float) or as_float != int(as_float):
        raise CheckFailed(text("expect.int", what=what), _came(value))
    return int(as_float)


def _plain_array(value: object) -> np.ndarray[Any, Any]:
    """Return the value as an array of whatever kind; an array of objects where it is not one of numbers."""
    # Before numpy sees it: of texts it would make an array as wide as the longest, of handles it would probe each, and
    # of large arrays of bytes beside one of floats, one of floats.
    if not _is_numeric(value) or (isinstance(value, list | tuple) and _size(value) > _MOST_VALUES):
        return np.asarray(None)
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RecursionError, OverflowError):  # rows of different lengths, a huge int
        return np.asarray(None)


def _is_numeric(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_numeric(item) for item in value)
    return isinstance(value, bool | int | float | np.ndarray | np.bool_ | np.number)


def _hint(value: object) -> str:
    """Return what to try where the type alone tells it, whatever the check is about."""
    iterators = {"map", "zip", "filter", "generator", "range", "dict_values"}
    return text("hint.iterator") if isinstance(value, RemoteObject) and type_name(value) in iterators else ""


def _came(value: object) -> str:
    if value is None:
        return text("expect.came_none")
    if isinstance(value, RemoteObject):
        return text("expect.came_object", type=type_name(value))
    return show(value)
