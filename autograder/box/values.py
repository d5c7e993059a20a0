"""Values to nodes of the protocol and back: the same code on both sides of the boundary.

Only exact types cross (`type(x) is int`): a subclass could lie about itself, and its class is the student's code. What
has no plain form is given to `keep`, which in the box makes an array or a handle of it and in the judge refuses.

Imported on both sides: the standard library, numpy and the protocol only.
"""

from __future__ import annotations

import array
import enum
from collections.abc import Callable
from typing import Any, Union

import numpy as np

from autograder.box.protocol import (
    DTYPES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_NDIM,
    ArrayNode,
    ArrayReader,
    BigInt,
    BytesNode,
    Complex,
    DictNode,
    Handle,
    ListNode,
    Path,
    ProtocolError,
    ScalarNode,
    Target,
    TupleNode,
    Unsendable,
    Value,
    is_hollow,
)

_PLAIN = frozenset([type(None), bool, float, str])
_INT64 = range(-(1 << 63), 1 << 63)
_MAX_BIGINT_BITS = 16_000  # 4,800 decimal digits
_MAX_BIGINT_CHARS = _MAX_BIGINT_BITS // 4 + 3  # with sign and 0x
# Exact types, as everywhere here: isinstance would ask `__class__`, which is the student's to answer.
_NUMPY_SCALARS = frozenset(np.sctypeDict.values())
# Keys whose hash a sender can choose: a dict of many that hash alike takes quadratic time to build.
_MAX_ODD_KEYS = 1000

Keep = Callable[[object], Union[Value, "np.ndarray[Any, Any]"]]  # Union: evaluated, by Python 3.9 too
Resolve = Callable[[Target], object]


class Encoder:
    """Turns values into nodes and gathers their arrays, which go into the frame's payload.

    Args:
        keep: called for what has no plain form; returns an array or a handle, or raises Unsendable.
    """

    def __init__(self, keep: Keep) -> None:
        self.arrays: list[np.ndarray[Any, Any]] = []
        self._keep = keep
        self._count = 0

    def value(self, value: object, depth: int = 0) -> Value:
        """Return the node of `value`.

        Raises:
            Unsendable: too deep, too many values, an array of objects, or refused by `keep`.
        """
        kind = type(value)
        self._count += 1
        if self._count > MAX_ITEMS:
            raise Unsendable(f"more than {MAX_ITEMS:,} values; use an array")
        if kind in _PLAIN:
            return value  # type: ignore[return-value]  # narrowed by the set
        if kind is int or _is_int_enum(kind):
            return self._int(int.__int__(value))  # type: ignore[arg-type]
        if kind is np.ndarray or kind is array.array:
            return self._array(np.asarray(value))
        if kind in _NUMPY_SCALARS:
            return self._scalar(value)  # type: ignore[arg-type]
        if depth >= MAX_DEPTH:
            raise Unsendable(f"lists nested more than {MAX_DEPTH} deep")
        return self._container(value, depth)

    def _container(self, value: object, depth: int) -> Value:
        kind = type(value)
        if kind is list:
            return ListNode([self.value(item, depth + 1) for item in value])  # type: ignore[attr-defined]
        if kind is tuple or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
            return TupleNode([self.value(item, depth + 1) for item in value])  # type: ignore[attr-defined]
        if kind is dict:
            keys = [self.value(key, depth + 1) for key in value]  # type: ignore[attr-defined]
            if _too_many_odd(keys):
                raise Unsendable(f"a dict with more than {_MAX_ODD_KEYS:,} keys that are neither texts nor ints")
            return DictNode(keys, [self.value(item, depth + 1) for item in value.values()])  # type: ignore[attr-defined]
        if kind is bytes:
            return BytesNode(value)  # type: ignore[arg-type]
        if kind is complex:
            return Complex(value.real, value.imag)  # type: ignore[attr-defined]
        kept = self._keep(value)
        return self._array(kept) if isinstance(kept, np.ndarray) else kept

    @staticmethod
    def _int(value: int) -> Value:
        if value in _INT64:
            return value
        if value.bit_length() > _MAX_BIGINT_BITS:
            raise Unsendable(f"an int of {value.bit_length():,} bits")
        return BigInt(hex(value))

    def _array(self, values: np.ndarray[Any, Any]) -> ArrayNode:
        plain = np.ascontiguousarray(values).reshape(values.shape)  # the former makes 0-d arrays 1-d
        dtype = plain.dtype.newbyteorder("<")
        if dtype.str not in DTYPES:
            raise Unsendable(_why_not_this_dtype(plain.dtype))
        if plain.ndim > MAX_NDIM:
            raise Unsendable(f"an array of {plain.ndim} dimensions; at most {MAX_NDIM} can be handed over")
        if is_hollow(plain.shape):
            raise Unsendable(f"an array of shape {plain.shape}, which has no values")
        self.arrays.append(plain.astype(dtype, copy=False))
        return ArrayNode(dtype.str, list(plain.shape))

    @staticmethod
    def _scalar(value: np.generic) -> Value:
        dtype = value.dtype.newbyteorder("<")
        if dtype.str not in DTYPES:
            if isinstance(value, np.str_):
                return str(value)
            raise Unsendable(_why_not_this_dtype(value.dtype))
        return ScalarNode(dtype.str, np.asarray(value).astype(dtype).tobytes())


def _is_int_enum(kind: type) -> bool:
    """Whether it is a class like `class Gate(IntEnum)`: its members are the ints that they stand for."""
    return type(kind) is enum.EnumMeta and issubclass(kind, int)


def _why_not_this_dtype(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "O":
        return "an array of Python objects (dtype=object): are its rows of different lengths?"
    return f"an array of dtype {dtype}; use float32, float64, an integer type or bool"


class Decoder:
    """Turns nodes back into values.

    Args:
        reader: cuts the payload into arrays.
        resolve: gives what a handle or a path stands for on this side.
    """

    def __init__(self, reader: ArrayReader, resolve: Resolve) -> None:
        self._reader = reader
        self._resolve = resolve
        self._count = 0

    def value(self, node: Value, depth: int = 0) -> object:  # noqa: C901, PLR0911 - one return a kind of node
        """Return the value of `node`.

        Raises:
            ProtocolError: too deep, too many values, or an impossible array.
        """
        self._count += 1
        if self._count > MAX_ITEMS or depth > MAX_DEPTH:
            raise ProtocolError("too many values, or nested too deep")
        if isinstance(node, ListNode):
            return [self.value(item, depth + 1) for item in node.items]
        if isinstance(node, TupleNode):
            return tuple(self.value(item, depth + 1) for item in node.items)
        if isinstance(node, DictNode):
            return self._dict(node, depth)
        if isinstance(node, ArrayNode):
            return self._reader.take(node)
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if isinstance(node, BigInt):
            return _bigint(node.digits)
        if isinstance(node, BytesNode):
            return node.raw
        if isinstance(node, Complex):
            return complex(node.real, node.imag)
        if isinstance(node, (Handle, Path)):
            return self._resolve(node)
        return node

    def _dict(self, node: DictNode, depth: int) -> dict[object, object]:
        if len(node.keys) != len(node.values):
            raise ProtocolError("a dict with more keys than values, or fewer")
        if _too_many_odd(node.keys):
            raise ProtocolError("a dict with too many keys that are neither texts nor ints")
        values: dict[object, object] = {}
        # Key, key, …, then value, value, …: the order in which the encoder took their arrays.
        keys = [self.value(key, depth + 1) for key in node.keys]
        for key, item in zip(keys, node.values):
            try:
                values[key] = self.value(item, depth + 1)
            except TypeError:
                raise ProtocolError("a dict key that can't be hashed") from None
        return values


def _too_many_odd(keys: list[Value]) -> bool:
    return sum(type(key) not in {str, int} for key in keys) > _MAX_ODD_KEYS


def _scalar(node: ScalarNode) -> object:
    if node.dtype not in DTYPES or len(node.raw) != np.dtype(node.dtype).itemsize:
        raise ProtocolError("a numpy scalar of a wrong type or length")
    return np.frombuffer(node.raw, dtype=node.dtype)[0]


def _bigint(digits: str) -> int:
    if len(digits) > _MAX_BIGINT_CHARS:
        raise ProtocolError("an int of too many digits")
    try:
        return int(digits, 16)
    except ValueError:
        raise ProtocolError("an int that is none") from None
