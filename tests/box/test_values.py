"""Values: what crosses arrives as it was, exact types only, and a forged node makes no value."""

from __future__ import annotations

import array
import collections
import enum
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autograder.box import values
from autograder.box.protocol import (
    DTYPES,
    MAX_DEPTH,
    MAX_ITEMS,
    ArrayNode,
    ArrayReader,
    BigInt,
    BytesNode,
    DictNode,
    Handle,
    ListNode,
    Path,
    ProtocolError,
    Returned,
    ScalarNode,
    TupleNode,
    Unsendable,
    Value,
    decode_reply,
    encode_message,
)
from autograder.box.values import Decoder, Encoder

KEPT = Handle(9, 1, "kept", False)


def keep(value: object) -> Value:
    return KEPT


def cross(value: object) -> Any:
    """Send a value through the codec, bytes and all, and return what arrives; what has no plain form is KEPT."""
    encoder = Encoder(keep)
    first, *rest = encode_message(Returned(id=1, value=encoder.value(value)), encoder.arrays)
    reply = decode_reply(bytes(first)[12:])
    assert isinstance(reply, Returned)
    reader = ArrayReader(np.frombuffer(b"".join(rest), dtype=np.uint8))
    arrived = Decoder(reader, lambda node: node).value(reply.value)
    reader.finish()
    return arrived


def read(node: Value, payload: bytes = b"") -> object:
    return Decoder(ArrayReader(np.frombuffer(payload, dtype=np.uint8)), lambda node: node).value(node)


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal in type and in every bit: NaN is itself, -0.0 is not 0.0, 1 is not True."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right)
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left), list(right)) and same(list(left.values()), list(right.values()))
    return bool(left == right)


# --- round trips ----------------------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 200), 1 << 200),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
)
KEYS = st.one_of(st.text(max_size=4), st.integers(), st.binary(max_size=4), st.tuples(st.integers(), st.none()))
PLAIN = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=700, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(PLAIN)
@example([math.nan, math.inf, -math.inf, -0.0, 5e-324])
@example([-(1 << 63), -(1 << 63) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, -1, 0])
@example({"b": 1, "a": {2: (), 1: [{}]}})
@example(["", "\0", "感知机", "\U0001f600", b""])
def test_plain_values_arrive_as_they_were(value):
    assert same(cross(value), value)


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize(
    "layout",
    [
        lambda array: array,
        lambda array: array.T,
        lambda array: array[::-1, ::-2],
        lambda array: array[:, 1],
        lambda array: np.array(array[0, 1]),
        lambda array: array[:0],
        np.asfortranarray,
        lambda array: np.broadcast_to(array[0], (3, 4)),
        lambda array: array.astype(array.dtype.newbyteorder(">")),
        lambda array: array.reshape((1, 3, 1, 2, 1, 1, 2, 1)),
    ],
    ids=["plain", "transposed", "reversed", "column", "0-d", "empty", "fortran", "broadcast", "big-endian", "8-d"],
)
def test_arrays_arrive_with_dtype_shape_and_values(dtype, layout):
    whole = (np.arange(12).reshape(3, 4) % 2 if dtype == "|b1" else np.arange(12).reshape(3, 4)).astype(dtype)
    array = layout(whole)
    arrived = cross(array)
    assert type(arrived) is np.ndarray
    assert arrived.dtype == np.dtype(dtype)
    assert arrived.shape == array.shape
    np.testing.assert_array_equal(arrived, array)


def test_arrays_inside_containers_arrive_in_their_places():
    one, two, three = np.arange(3), np.zeros((0, 2), "f4"), np.ones(2, "?")
    arrived = cross({"a": [one, (two,)], "b": three})
    assert list(arrived) == ["a", "b"]
    np.testing.assert_array_equal(arrived["a"][0], one)
    assert arrived["a"][1][0].shape == (0, 2)
    np.testing.assert_array_equal(arrived["b"], three)


def test_nan_and_infinity_arrive_in_arrays():
    array = np.array([np.nan, np.inf, -np.inf, -0.0], "f4")
    assert cross(array).tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "scalar",
    [np.bool_(True), np.int8(-3), np.uint64(1 << 63), np.float16(0.5), np.float32("nan"), np.complex64(1 + 2j)],
    ids=repr,
)
def test_numpy_scalars_arrive_as_numpy_scalars(scalar):
    arrived = cross(scalar)
    assert type(arrived) is type(scalar)
    assert arrived.tobytes() == scalar.tobytes()


def test_a_big_endian_scalar_arrives_with_its_value():
    assert cross(np.array([258], ">i4")[0]) == 258


def test_a_numpy_text_arrives_as_text():
    assert same(cross(np.str_("感知机")), "感知机")


def test_a_named_tuple_arrives_as_a_tuple():
    point = collections.namedtuple("point", "x y")  # noqa: PYI024 - as students write it
    assert same(cross([point(1, 2.0)]), [(1, 2.0)])


class Gate(enum.IntEnum):
    OFF = 0
    ON = 1

    def __int__(self) -> int:
        return 7

    __index__ = __int__
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class Bits(enum.IntFlag):
    LOW = 1
    HIGH = 1 << 70


def test_an_int_enum_arrives_as_the_int_that_it_is():
    """Whatever its methods say: they are the student's code."""
    assert same(cross([Gate.ON, Gate.OFF, Bits.HIGH | Bits.LOW]), [1, 0, (1 << 70) + 1])


@pytest.mark.parametrize(("code", "dtype"), [("d", "<f8"), ("f", "<f4"), ("b", "|i1"), ("B", "|u1"), ("q", "<i8")])
def test_an_array_of_the_standard_library_arrives_as_one_of_numpy(code, dtype):
    arrived = cross([array.array(code, [1, 2, 3])])[0]
    assert (type(arrived), arrived.dtype.str, arrived.tolist()) == (np.ndarray, dtype, [1, 2, 3])


# --- what does not cross as plain -----------------------------------------------------------------------------------


class Text(str):
    __slots__ = ()


class Number(float):
    pass


class Whole(int):
    pass


class Array(np.ndarray):
    pass


class Column(array.array):
    pass


class Wrapped(enum.Enum):
    ONE = 1


class OwnMeta(enum.EnumType):
    pass


class Odd(enum.IntEnum, metaclass=OwnMeta):
    ONE = 1


class Items(list):
    pass


class Pair(tuple):
    __slots__ = ()


class Table(dict):
    pass


@pytest.mark.parametrize(
    "value",
    [
        Text("a"),
        Number(1.0),
        Whole(1),
        np.zeros(2).view(Array),
        np.ma.masked_array([1.0]),
        Column("d", [1.0]),
        Wrapped.ONE,
        Odd.ONE,
        Items([1]),
        Pair((1,)),
        Table(a=1),
        collections.OrderedDict(a=1),
        {1, 2},
        range(3),
        bytearray(b"a"),
        memoryview(b"a"),
        object(),
        len,
        int,
    ],
    ids=lambda value: type(value).__name__,
)
def test_security_only_exact_types_cross_as_values(value):
    assert cross(value) == KEPT
    assert cross([value]) == [KEPT]


class Scalar(np.float64):
    pass


def test_security_a_subclass_of_a_numpy_scalar_does_not_cross_as_a_value():
    assert cross(Scalar(1.0)) == KEPT


def test_what_keep_makes_an_array_of_crosses_as_one():
    encoder = Encoder(lambda value: np.arange(3))
    assert encoder.value({1, 2}) == ArrayNode("<i8", [3])
    assert len(encoder.arrays) == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (np.array([1, "a"], dtype=object), "dtype=object"),
        (np.array(["a"]), "dtype <U1"),
        (np.zeros(2, "M8[s]"), "datetime64"),
        (np.zeros(2, [("a", "f4")]), "dtype"),
        (np.zeros(2, "f4,f4")[0], "dtype"),
        (np.datetime64("2024-01-01"), "datetime64"),
        (np.bytes_(b"x"), "dtype"),
        (np.longdouble(1), "dtype"),
        (np.empty((1 << 28, 0)), "no values"),
    ],
    ids=["objects", "texts", "dates", "records", "record", "date", "bytes", "longdouble", "hollow"],
)
def test_arrays_of_anything_but_numbers_are_refused_with_the_reason(value, why):
    with pytest.raises(Unsendable, match=why):
        cross(value)


def test_a_list_in_itself_is_refused():
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Unsendable, match="deep"):
        cross(endless)


def _nested(levels: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(levels - 1):
        made = [made]
    return made


def test_nesting_up_to_the_cap_crosses_and_no_deeper():
    assert same(cross(_nested(MAX_DEPTH)), _nested(MAX_DEPTH))
    with pytest.raises(Unsendable, match=str(MAX_DEPTH)):
        cross(_nested(MAX_DEPTH + 1))


def test_as_many_values_as_the_cap_cross_and_no_more(monkeypatch):
    monkeypatch.setattr(values, "MAX_ITEMS", 100)
    assert cross([0] * 99) == [0] * 99
    with pytest.raises(Unsendable, match="use an array"):
        cross([0] * 100)


def test_a_lone_surrogate_is_refused():
    with pytest.raises(Unsendable, match="surrogate"):
        cross({"\udc80": 1})


def test_an_int_of_too_many_digits_is_refused_where_it_is_sent():
    with pytest.raises(Unsendable):
        cross(1 << 30_000)


# --- forged nodes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "node",
    [
        DictNode([ListNode([])], [1]),
        DictNode([DictNode([], [])], [1]),
        DictNode([TupleNode([ListNode([])])], [1]),
        DictNode([1, 2], [1]),
        DictNode([1], [1, 2]),
        BigInt("zz"),
        BigInt(""),
        BigInt("0x" + "f" * 5000),
        ScalarNode("|O", bytes(8)),
        ScalarNode("<f8", bytes(7)),
        ScalarNode("<f8", bytes(16)),
        ScalarNode("<U1", bytes(4)),
        ArrayNode("|O", [1]),
        ListNode([ArrayNode("<f8", [2])]),
    ],
    ids=str,
)
def test_security_a_forged_node_is_refused(node):
    with pytest.raises(ProtocolError):
        read(node, bytes(8))


def test_security_an_array_as_a_dict_key_is_refused():
    with pytest.raises(ProtocolError, match="hashed"):
        read(DictNode([ArrayNode("<f8", [1])], [1]), bytes(8))


def test_security_nodes_nested_too_deep_are_refused():
    node: Value = None
    for _ in range(MAX_DEPTH + 1):
        node = ListNode([node])
    with pytest.raises(ProtocolError, match="too deep"):
        read(node)


def test_security_too_many_nodes_are_refused():
    with pytest.raises(ProtocolError, match="too many"):
        read(ListNode([None] * MAX_ITEMS))


def test_security_keys_that_hash_alike_are_refused():
    modulus = (1 << 61) - 1  # of CPython's hash of an int: all multiples hash to 0
    keys: list[Any] = [BigInt(hex(number * modulus << 8)) for number in range(1, 2001)]
    assert {hash(int(key.digits, 16)) for key in keys} == {0}
    with pytest.raises(ProtocolError):
        read(DictNode(keys, [None] * len(keys)))


def test_as_many_keys_of_any_kind_as_the_cap_cross_and_no_more():
    assert len(cross({number / 2: None for number in range(1000)})) == 1000
    assert len(cross(dict.fromkeys([*range(5000), *map(str, range(5000))]))) == 10_000
    with pytest.raises(Unsendable, match="keys"):
        cross({(number, 1): None for number in range(1001)})


def test_security_a_bool_that_is_neither_counts_as_one():
    bools = read(ArrayNode("|b1", [3]), b"\x00\x01\xc8")
    assert isinstance(bools, np.ndarray)
    assert (bools.sum(), bools.astype(float).max(), bools.mean()) == (2, 1.0, 2 / 3)


def test_handles_and_paths_are_resolved_by_whoever_reads():
    reader = ArrayReader(np.empty(0, np.uint8))
    decoder = Decoder(reader, lambda node: ("resolved", node))
    node = ListNode([KEPT, Path("fit"), BytesNode(b"x")])
    assert decoder.value(node) == [("resolved", KEPT), ("resolved", Path("fit")), b"x"]
