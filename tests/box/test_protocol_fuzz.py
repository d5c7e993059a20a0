"""Hostile bytes: the judge refuses them as a protocol error or reads a message, and never does anything else."""

from __future__ import annotations

import contextlib
import random
import struct
import tracemalloc
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.box.protocol import (
    MAX_HEADER_BYTES,
    PREFIX,
    ArrayNode,
    ArrayReader,
    BytesNode,
    DictNode,
    Frame,
    ListNode,
    ProtocolError,
    Raised,
    Reply,
    Returned,
    ScalarNode,
    Synced,
    decode_prefix,
    decode_reply,
    encode_message,
)
from autograder.box.values import Decoder

FUZZ = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
DAMAGED = 20_000
HEAD = b"\x83\xa4type\xa8returned\xa2id\x01\xa5value"

VALID = [
    bytes(encode_message(message, [])[0])[PREFIX.size :]
    for message in (
        Synced(id=1),
        Returned(id=1, value=DictNode(["a", 2], [ArrayNode("<f4", [2, 3]), ListNode([BytesNode(b"xy"), 0.5])])),
        Returned(id=1, value=ScalarNode("<f8", bytes(8))),
        Raised(id=1, type_name="E", mro=["E"], text="t", frames=[Frame("a.py", 1, "f", "x", True)], names=["n"]),
    )
]
TAGS = ["l", "t", "d", "i", "b", "c", "a", "s", "h", "p", "q"]
SIZES = st.one_of(st.integers(-2, 9), st.sampled_from([1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1]))
DTYPES = st.sampled_from(["<f4", "<f8", "|b1", "|u1", "<i8", "<c16", "|O", ">f4", ""])


def _grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(inner, max_size=4)
    return st.one_of(
        items,
        st.builds(lambda tag, rest: [tag, *rest], st.sampled_from(TAGS), items),
        st.builds(lambda tag, within: [tag, within], st.sampled_from("lt"), items),
        st.builds(lambda keys, values: ["d", keys, values], items, items),
    )


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=9),
    # Not beside a zero: an empty array of impossible shape has its own test.
    st.builds(lambda dtype, shape: ["a", dtype, shape], DTYPES, st.lists(SIZES.filter(bool), max_size=3)),
    st.builds(lambda dtype, raw: ["s", dtype, raw], DTYPES, st.binary(max_size=16)),
    st.builds(lambda digits: ["i", digits], st.text("0123456789abcdefx-_ ", max_size=40)),
    st.builds(lambda number: ["h", number, 1, "T", True], st.integers(0, 1 << 40)),
)
NODES = st.recursive(LEAVES, _grow, max_leaves=20)


def read_all(reply: Reply, payload: bytes) -> None:
    """Do with a reply what the judge does."""
    if isinstance(reply, Returned):
        reader = ArrayReader(np.frombuffer(payload, dtype=np.uint8))
        Decoder(reader, lambda node: object()).value(reply.value)
        reader.finish()


@settings(FUZZ, max_examples=2500)
@given(st.binary(max_size=300))
def test_security_any_bytes_are_a_message_or_a_protocol_error(header):
    with contextlib.suppress(ProtocolError):
        decode_reply(header)


def test_security_a_damaged_message_is_a_message_or_a_protocol_error():
    for seed in range(DAMAGED):  # by hand: hypothesis takes a second for a thousand of these
        chance = random.Random(seed)
        damaged = bytearray(chance.choice(VALID))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged) + 1)
            damaged[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
        try:
            read_all(decode_reply(bytes(damaged)), bytes(24))
        except ProtocolError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}: {bytes(damaged)!r}") from error


@settings(FUZZ, max_examples=800)
@given(NODES, st.binary(max_size=64))
def test_security_any_value_is_read_or_a_protocol_error(node, payload):
    header = msgspec.msgpack.encode({"type": "returned", "id": 1, "value": node})
    with contextlib.suppress(ProtocolError):
        read_all(decode_reply(header), payload)


@settings(FUZZ, max_examples=2500)
@given(st.binary(min_size=PREFIX.size, max_size=PREFIX.size))
def test_security_any_prefix_is_within_the_caps_or_a_protocol_error(prefix):
    with contextlib.suppress(ProtocolError):
        assert decode_prefix(prefix).header <= MAX_HEADER_BYTES


def _filled(item: bytes) -> bytes:
    count = (1 << 20) // len(item)
    return HEAD + b"\x92\xa1l\xdd" + struct.pack(">I", count) + item * count


@pytest.mark.parametrize(
    "header",
    [
        _filled(b"\xc0"),
        _filled(b"\x92\xa1l\x90"),
        _filled(b"\x93\xa1d\x90\x90"),
        _filled(b"\x92\xa1b\xc4\x00"),
        _filled(b"\xcd\xff\xff"),
        HEAD + b"\x92\xa1l\xdd\xff\xff\xff\xff",
        HEAD + (b"\x92\xa1l\xdd" + struct.pack(">I", 1 << 19)) * 200 + b"\xc0" * (1 << 20),
        HEAD + b"\xdb\xff\xff\xff\xff",
        HEAD + b"\x92\xa1b\xc6\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\xa4type\xa8returned",
    ],
    ids=[
        "nils",
        "lists",
        "dicts",
        "bytes",
        "ints",
        "huge-list",
        "nested-claims",
        "huge-text",
        "huge-bytes",
        "huge-map",
    ],
)
def test_security_a_hostile_header_takes_bounded_memory(header):
    tracemalloc.start()
    try:
        with contextlib.suppress(ProtocolError):
            decode_reply(header)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # An empty dict of the protocol is 5 bytes on the wire and about 200 here: at most 256 MB of a whole header.
    assert peak < 64 * (1 << 20)
