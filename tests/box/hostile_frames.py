"""Hostile frames: strategies of what has a reply's structure with something wrong in it, and damage done to bytes."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from autograder.box.protocol import (
    DTYPES,
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    MAX_NDIM,
    MAX_PAYLOAD_BYTES,
    PREFIX,
)
from tests.box.hostile import GENERATION, ID, LOAD_ID, QUESTIONS

_MOST_BYTES = 1 << 14  # of a frame's payload where it is what its arrays ask for
_U64, _I64 = (1 << 64) - 1, -(1 << 63)
_ODD_DTYPES = [
    *(
        "<f" * 99,
        "|O",
        "|V8",
        "|V0",
        "V",
        ">f4",
        ">i8",
        "=f8",
        "<M8[ns]",
        "<m8[s]",
        "<U4",
        "|S5",
        "f4",
        "float32",
        "<f16",
        "<c32",
    ),
    *("<f4,<i4", "(2,)f4", "{'names': ['a'], 'formats': ['O']}", "i4:i4", "", "|b2", "|i1\0", "object"),
]
# Bytes that stand where a value is expected: counts without items, a surrogate, no UTF-8, depth, extensions, the one
# byte that msgpack never uses.
_ODD_BYTES = [
    msgspec.Raw(raw)
    for raw in (
        *(
            b"\xdd\xff\xff\xff\xff",
            b"\xdc\xff\xff",
            b"\xdf\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
            b"\xc6\x7f\xff\xff\xff",
        ),
        *(b"\xa3\xed\xa0\x80", b"\xa2\xff\xfe", b"\xa1\x00", b"\xa4\xf0\x9f\x98\x80", b"\xa1\x1b", b"\xa3\xe2\x80\xae"),
        *(b"\x91" * 2000 + b"\xc0", b"\x92\xa1l\x91" * 600 + b"\xc0", b"\x81\xa1a" * 500 + b"\xc0"),
        *(
            b"\xd4\xff\x00",
            b"\xd7\xff" + bytes(8),
            b"\xc7\x0c\xff" + b"\xff" * 12,
            b"\xc9\xff\xff\xff\xff\x01",
            b"\xc1",
            b"",
        ),
    )
]


class Made(NamedTuple):
    """A frame to be, and the question that it comes for."""

    question: str
    header: bytes
    payload: bytes

    def frame(self) -> bytes:
        return PREFIX.pack(len(self.header), len(self.payload)) + self.header + self.payload


@st.composite
def often(draw: st.DrawFn, usual: st.SearchStrategy[Any], *rare: st.SearchStrategy[Any]) -> Any:
    """Draw what is right most of the time: one wrong part makes the whole frame a wrong one."""
    return draw(usual if draw(st.integers(0, 5)) != 3 else st.one_of(*rare))


# --- values -----------------------------------------------------------------------------------------------------------

_AXES = st.one_of(
    st.integers(0, 5),
    st.sampled_from([-1, 1 << 20, 1 << 30, (1 << 31) - 1, 1 << 31, 1 << 40, 1 << 62, 1 << 63, _U64, _I64]),
)
_SMALL = st.lists(st.integers(0, 4), max_size=3)
_SHAPES = st.one_of(_SMALL, st.lists(_AXES, max_size=MAX_NDIM + 1))
_DTYPES = st.one_of(st.sampled_from(sorted(DTYPES)), st.sampled_from(sorted(DTYPES)), st.sampled_from(_ODD_DTYPES))
_INTS = st.one_of(st.integers(-3, 9), st.integers(_I64, _U64), st.sampled_from([_I64, _U64, 1 << 53]))
_TEXTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["\x1b[2J", "\u202e", "\0", "a\n", "__class__", "../x"]),
    st.builds(lambda count: "é" * count, st.just(3000)),
)
_FLOATS = st.one_of(st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1e308, 5e-324]))


def _scalar(dtype: str, fill: int) -> object:
    return ["s", dtype, random.Random(fill).randbytes(int(dtype[2:]))]


_GENERATIONS = often(st.just(GENERATION), st.sampled_from([0, -1, GENERATION + 1, _U64]))
_ATOMS = often(st.one_of(_INTS, _FLOATS, _TEXTS), st.none(), st.booleans())
_LEAVES: st.SearchStrategy[Any] = often(
    st.one_of(
        _ATOMS,
        st.builds(lambda dtype, shape: ["a", dtype, shape], st.sampled_from(sorted(DTYPES)), _SMALL),
        st.builds(_scalar, st.sampled_from(sorted(DTYPES)), st.integers(0, 1 << 16)),
        st.builds(lambda number: ["i", hex(number)], st.integers(-(1 << 200), 1 << 200)),
        st.builds(lambda raw: ["b", raw], st.binary(max_size=9)),
        st.builds(lambda real, imag: ["c", real, imag], _FLOATS, _FLOATS),
        st.builds(lambda *fields: ["h", *fields], _INTS, _GENERATIONS, _TEXTS, st.booleans()),
    ),
    st.one_of(
        st.sampled_from(_ODD_BYTES),
        st.binary(max_size=9),
        st.builds(lambda dtype, shape: ["a", dtype, shape], st.sampled_from(_ODD_DTYPES), _SMALL),
        st.builds(lambda dtype, shape: ["a", dtype, shape], _DTYPES, _SHAPES),
        st.builds(lambda dtype, raw: ["s", dtype, raw], _DTYPES, st.binary(max_size=16)),
        st.builds(lambda digits: ["i", digits], st.text("0123456789abcdefx-_ ", max_size=40)),
        st.builds(lambda count: ["i", "-0x" + "f" * count], st.sampled_from([0, 16, 3600, 4000, 4001, 9000])),
        st.builds(lambda name: ["p", name], _TEXTS),
    ),
)


def _grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(inner, max_size=4)
    texts = st.lists(_TEXTS, max_size=4)
    return often(
        st.one_of(
            st.builds(lambda tag, within: [tag, within], st.sampled_from("lt"), items),
            st.builds(
                lambda keys, values: ["d", keys, values[: len(keys)]], texts, st.lists(inner, min_size=4, max_size=4)
            ),
        ),
        st.one_of(
            st.builds(lambda keys, values: ["d", keys, values], items, items),
            st.builds(lambda tag, rest: [tag, *rest], st.sampled_from("ltdibcashpq\0"), items),
            st.builds(_nested, inner, st.sampled_from([2, MAX_DEPTH - 1, MAX_DEPTH])),
            items,
        ),
    )


def _nested(value: object, depth: int) -> object:
    for _ in range(depth):
        value = ["l", [value]]
    return value


VALUES = st.recursive(_LEAVES, _grow, max_leaves=8)


def asked_for(node: object) -> int:
    """Return how many bytes of payload the arrays of a value would take, as far as that is little."""
    if not isinstance(node, list):
        return 0
    match node:
        case ["a", str(dtype), list(shape)] if all(type(axis) is int for axis in shape):
            size = math.prod(shape) * (int(dtype[2:]) if dtype in DTYPES else 8)
            return size if 0 <= size <= _MOST_BYTES else 0
        case _:
            return min(sum(map(asked_for, node)), _MOST_BYTES)


# --- replies ----------------------------------------------------------------------------------------------------------

_WRONG: st.SearchStrategy[Any] = st.one_of(st.none(), _INTS, _FLOATS, _TEXTS, st.lists(_TEXTS, max_size=2), VALUES)


def _fields(**right: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Draw a message's fields: as they should be, or some missing, doubled, of a wrong type or unknown."""
    good = st.tuples(*(strategy.map(lambda value, name=name: (name, value)) for name, strategy in right.items())).map(
        list
    )
    known = st.sampled_from([*right, "id", "type", "extra", ""])
    return often(
        good,
        st.builds(lambda fields, name, value: [*fields, (name, value)], good, known, _WRONG),
        st.builds(_replaced, good, st.integers(0, 20), _WRONG),
        st.builds(_without, good, st.integers(0, 20)),
    )


def _replaced(fields: list[tuple[str, Any]], at: int, value: object) -> list[tuple[str, Any]]:
    at %= len(fields)
    return [*fields[:at], (fields[at][0], value), *fields[at + 1 :]]


def _without(fields: list[tuple[str, Any]], at: int) -> list[tuple[str, Any]]:
    at %= len(fields)
    return [*fields[:at], *fields[at + 1 :]]


_IDS = often(st.just(ID), st.sampled_from([LOAD_ID, 0, -1, ID + 1, _U64, 7.0, "7", True, None]))
_FRAMES = st.lists(st.tuples(_TEXTS, _INTS, _TEXTS, _TEXTS, st.booleans()).map(
    lambda row: dict(zip(("file", "line", "function", "source", "student"), row, strict=True))
), max_size=3)  # fmt: skip
_OUTLINE = st.fixed_dictionaries(
    {},
    optional={
        "model": _TEXTS, "trainer": _TEXTS, "takes_loader": st.booleans(), "first_line": _INTS, "last_line": _INTS,
        "inside": _TEXTS, "inside_line": _INTS,
    },
)  # fmt: skip
_ENVIRONMENT = st.fixed_dictionaries(
    {"python": _TEXTS, "platform": _TEXTS, "numpy": _TEXTS, "torch": st.none(), "tensorflow": st.none(),
     "threads": _INTS, "device": _TEXTS, "device_name": _TEXTS},
    optional={"device_memory": _INTS, "device_problem": _TEXTS},
)  # fmt: skip
_ERRORS = st.sampled_from(
    ["SyntaxError", "AttributeError", "ModuleNotFoundError", "ImportError", "NotImplementedError", "MemoryError",
     "SystemExit", "TypeError", "NameError", "KeyError", "ValueError"]
)  # fmt: skip

RETURNED = _fields(type=st.just("returned"), id=_IDS, value=VALUES)
RAISED = _fields(
    type=st.just("raised"), id=_IDS, type_name=st.one_of(_ERRORS, _ERRORS, _TEXTS), mro=st.lists(_ERRORS, max_size=3),
    text=_TEXTS, frames=_FRAMES, names=st.lists(_TEXTS, max_size=3), outline=st.one_of(st.none(), _OUTLINE),
    missing=_TEXTS, syntax=st.booleans(), column=_INTS, unsendable=st.booleans(),
)  # fmt: skip
LOADED = _fields(type=st.just("loaded"), id=_IDS, names=st.lists(_TEXTS), environment=_ENVIRONMENT)
OTHER = _fields(type=st.sampled_from(["synced", "load", "call", "", "Returned"]), id=_IDS)


def _made(question: str, fields: list[tuple[str, Any]], extra: int, fill: int) -> Made:
    if question == "load":
        fields = [(name, LOAD_ID if value == ID else value) for name, value in fields]
    size = asked_for([value for _, value in fields]) + extra
    return Made(question, _as_map(fields), random.Random(fill).randbytes(max(size, 0)))


def _as_map(fields: list[tuple[str, Any]]) -> bytes:
    """Encode a map with its keys as they are, doubled ones too."""
    pairs = b"".join(msgspec.msgpack.encode(name) + msgspec.msgpack.encode(value) for name, value in fields)
    return bytes([0x80 | min(len(fields), 15)]) + pairs


_EXTRA = st.sampled_from([*[0] * 20, 1, -1, 8, 4096])
_FILLS = st.integers(0, 1 << 16)
_FRAMES_MADE = often(
    st.builds(_made, often(st.just("get"), st.sampled_from(["put", "folder"])), RETURNED, _EXTRA, _FILLS),
    st.builds(_made, st.sampled_from(["get", "load"]), RAISED, _EXTRA, _FILLS),
    st.builds(_made, st.just("load"), LOADED, _EXTRA, _FILLS),
    st.builds(_made, st.sampled_from(sorted(QUESTIONS)), OTHER, _EXTRA, _FILLS),
)


@st.composite
def frames(draw: st.DrawFn) -> Made:
    """Draw a frame. As a composite, for the strategy's own name is shown with every error."""
    return draw(_FRAMES_MADE)


# --- damage -----------------------------------------------------------------------------------------------------------

_LENGTHS = (0, 1, MAX_HEADER_BYTES, MAX_HEADER_BYTES + 1, 1 << 31, (1 << 32) - 1)
_PAYLOADS = (*_LENGTHS, MAX_PAYLOAD_BYTES - 1, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1, 1 << 62, 1 << 63, _U64)


def damaged(frame: bytes, chance: random.Random) -> bytes:
    """Return a frame with one to three things done to it; every third with one bit changed behind its lengths."""
    made = bytearray(frame)
    if chance.randrange(3) == 0:
        made[chance.randrange(PREFIX.size, len(made))] ^= 1 << chance.randrange(8)
        return bytes(made)
    for _ in range(chance.randint(1, 3)):
        chance.choice(_DAMAGES)(made, chance)
    return bytes(made)


def _flip(made: bytearray, chance: random.Random) -> None:
    if made:
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)


def _replace(made: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(made) + 1)
    made[at : at + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))


def _cut(made: bytearray, chance: random.Random) -> None:
    del made[chance.randrange(len(made) + 1) :]


def _append(made: bytearray, chance: random.Random) -> None:
    made += chance.choice([bytes(made), chance.randbytes(20), b"\0" * 100])


def _repeat(made: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(made) + 1)
    part = made[start : start + chance.randint(1, 30)]
    made[start:start] = part * chance.randint(1, 3)


def _lie(made: bytearray, chance: random.Random) -> None:
    if len(made) < PREFIX.size:
        return
    header, payload = PREFIX.unpack_from(made)
    lies = [
        (min(max(header + chance.choice((-1, 1, 2)), 0), (1 << 32) - 1), payload),
        (header, min(max(payload + chance.choice((-1, 1, 8)), 0), _U64)),
        (chance.choice(_LENGTHS), payload),
        (header, chance.choice(_PAYLOADS)),
        (min(payload, (1 << 32) - 1), header),
    ]
    PREFIX.pack_into(made, 0, *chance.choice(lies))


_DAMAGES = (_flip, _flip, _replace, _cut, _append, _repeat, _lie)
