"""The protocol: every message and node crosses whole, and nothing else is taken for one."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import numpy as np
import pytest

from autograder.box import protocol
from autograder.box.protocol import (
    DTYPES,
    MAX_HEADER_BYTES,
    MAX_NDIM,
    MAX_PAYLOAD_BYTES,
    PREFIX,
    ArrayNode,
    ArrayReader,
    BigInt,
    BytesNode,
    Call,
    Complex,
    DictNode,
    Environment,
    Frame,
    Get,
    Handle,
    ListNode,
    Load,
    Loaded,
    Message,
    Node,
    Outline,
    Path,
    ProtocolError,
    Put,
    Raised,
    ReadFolder,
    Release,
    Returned,
    ScalarNode,
    Set,
    Sync,
    Synced,
    Take,
    TupleNode,
    Unsendable,
    WriteFolder,
    decode_prefix,
    decode_reply,
    decode_request,
    encode_message,
)
from tests.named import named

HANDLE = Handle(7, 3, "Perceptron", True)
NODES: list[Any] = [
    None,
    True,
    -(1 << 63),
    (1 << 64) - 1,
    0.5,
    "感知机",
    BytesNode(b"\x00\xff"),
    ListNode([1, ListNode([])]),
    TupleNode([None, "x"]),
    DictNode(["a", 1], [TupleNode([]), BytesNode(b"")]),
    BigInt("0x10000000000000000"),
    Complex(1.0, -2.0),
    ArrayNode("<f4", [2, 0, 3]),
    ScalarNode("|b1", b"\x01"),
    HANDLE,
    Path("fit"),
]
REQUESTS: list[Message] = [
    Load(
        id=1,
        files=["a.py", "数据/b.txt"],
        contents=[ArrayNode("|u1", [3]), ArrayNode("|u1", [0])],
        main="a.py",
        generation=4,
        device="auto",
        threads=2,
        memory_bytes=1 << 32,
        cpu_s=1801,
        file_bytes=1 << 30,
        answer_bytes=1 << 30,
        frameworks=["torch"],
        notebook=True,
    ),
    Get(id=2, target=Path("fit")),
    Get(id=2, target=HANDLE, name="weights"),
    Set(id=3, target=HANDLE, name="bias", value=1.5),
    Call(id=4, target=HANDLE, args=NODES, kwargs={"seed": 3, "x": ListNode([])}, seed=3, keep=True),
    Put(id=5, value=ListNode([1])),
    Take(id=6, target=HANDLE),
    WriteFolder(id=10, files=DictNode(["a/b"], [ArrayNode("|u1", [3])])),
    ReadFolder(id=11, folder="/tmp/saved"),
    Release(id=7, numbers=[1, 2, 3]),
    Sync(id=8, marker="\0ab\0"),
]
REPLIES: list[Message] = [
    Loaded(
        id=1,
        names=["fit", "predict"],
        environment=Environment("3.11.2", "Linux", "2.4.6", None, None, 2, "cpu", ""),
    ),
    *(Returned(id=4, value=node) for node in NODES),
    Raised(
        id=4,
        type_name="KeyError",
        mro=["KeyError", "LookupError"],
        text="'x'",
        frames=[Frame("a.py", 3, "fit", "return d['x']", True)],
        names=["fit"],
        outline=Outline(model="Net", trainer="train(loader)", takes_loader=True, first_line=3, last_line=9),
        missing="x",
        column=2,
        syntax=True,
        unsendable=True,
    ),
    Raised(id=4, type_name="E", mro=[], text="", frames=[]),
    Synced(id=8),
]


def header_of(message: Message) -> bytes:
    frame = bytes(encode_message(message, [])[0])
    return frame[PREFIX.size :]


def payload(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(content, dtype=np.uint8)


# --- what is sent comes back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", REQUESTS, ids=lambda message: type(message).__name__)
def test_a_request_comes_back_as_it_was(message):
    assert decode_request(header_of(message)) == message


@pytest.mark.parametrize("message", REPLIES, ids=lambda message: type(message).__name__)
def test_a_reply_comes_back_as_it_was(message):
    assert decode_reply(header_of(message)) == message


def test_the_examples_have_every_message_and_every_node():
    assert {type(message) for message in [*REQUESTS, *REPLIES]} == set(Message.__subclasses__())
    assert {type(node) for node in NODES if isinstance(node, Node)} == set(Node.__subclasses__())


def test_a_frame_is_two_lengths_the_header_and_the_arrays_in_order():
    arrays = [np.arange(3, dtype="<i2"), np.zeros((0, 4)), np.array(1.5)]
    first, *buffers = encode_message(Synced(id=1), arrays)
    header = header_of(Synced(id=1))
    assert bytes(first) == struct.pack("<IQ", len(header), 6 + 8) + header
    assert b"".join(buffers) == arrays[0].tobytes() + arrays[2].tobytes()


# --- caps on what is sent -------------------------------------------------------------------------------------------


def test_a_header_beyond_the_cap_is_not_sent():
    with pytest.raises(Unsendable, match="an array can be larger"):
        encode_message(Returned(id=1, value="x" * MAX_HEADER_BYTES), [])


def test_arrays_beyond_the_cap_are_not_sent():
    untouched = np.empty(MAX_PAYLOAD_BYTES // 2 + 1, dtype=np.uint8)  # address space, not memory
    with pytest.raises(Unsendable, match="at most"):
        encode_message(Synced(id=1), [untouched, untouched])


def test_a_lone_surrogate_is_refused_and_not_a_crash():
    with pytest.raises(Unsendable, match="surrogate"):
        encode_message(Returned(id=1, value="\ud800"), [])


# --- what is not a frame --------------------------------------------------------------------------------------------


def test_lengths_up_to_the_caps_are_taken():
    assert decode_prefix(PREFIX.pack(MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES)) == (MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES)


@pytest.mark.parametrize(
    ("header", "body"),
    [(MAX_HEADER_BYTES + 1, 0), ((1 << 32) - 1, 0), (0, MAX_PAYLOAD_BYTES + 1), (1, (1 << 64) - 1)],
)
def test_security_a_forged_length_is_refused_before_anything_is_allocated(header, body):
    with pytest.raises(ProtocolError, match="beyond the limit"):
        decode_prefix(PREFIX.pack(header, body))


@pytest.mark.parametrize("message", REPLIES, ids=lambda message: type(message).__name__)
def test_a_reply_cut_off_anywhere_is_refused(message):
    whole = header_of(message)
    for end in range(len(whole)):
        with pytest.raises(ProtocolError):
            decode_reply(whole[:end])


REPLY = {"type": "returned", "id": 1, "value": 2}


@pytest.mark.parametrize(
    "forged",
    [
        {**REPLY, "status": "passed"},
        {**REPLY, "type": "passed"},
        {**REPLY, "type": "call"},
        {**REPLY, "type": 3},
        {"id": 1, "value": 2},
        {"type": "returned", "value": 2},
        {**REPLY, "id": "1"},
        {**REPLY, "id": 1.5},
        {**REPLY, "value": {"a": 1}},
        {**REPLY, "value": [1, 2]},
        {**REPLY, "value": []},
        {**REPLY, "value": ["z", []]},
        {**REPLY, "value": ["l", [], "more"]},
        {**REPLY, "value": ["l", {}]},
        {**REPLY, "value": ["l", [["a", "<f4"]]]},
        {**REPLY, "value": ["a", "<f4", ["2"]]},
        {**REPLY, "value": ["a", "<f4", [2.0]]},
        {**REPLY, "value": ["h", 1, 1, "T", 1]},
        {**REPLY, "value": ["i", 5]},
        {**REPLY, "value": ["b", "text"]},
        {"type": "raised", "id": 1, "type_name": "E", "mro": [], "text": "", "frames": [], "score": 100},
        {"type": "raised", "id": 1, "type_name": "E", "mro": [], "text": "", "frames": [{"file": "a"}]},
        {"type": "synced", "id": 1, "value": 2},
        ["returned", 1, 2],
        None,
        msgspec.msgpack.Ext(1, b"\x80\x04N."),
        {**REPLY, "value": msgspec.msgpack.Ext(-1, b"\x00" * 4)},
    ],
    ids=named,
)
def test_security_a_reply_with_anything_unexpected_is_refused(forged):
    with pytest.raises(ProtocolError, match="not a message of the protocol"):
        decode_reply(msgspec.msgpack.encode(forged))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda message: type(message).__name__)
def test_a_request_is_no_reply(request_):
    with pytest.raises(ProtocolError):
        decode_reply(header_of(request_))


def test_bytes_after_a_reply_are_refused():
    with pytest.raises(ProtocolError):
        decode_reply(header_of(Synced(id=1)) + b"\x00")


@pytest.mark.parametrize("levels", [protocol.MAX_DEPTH * 4, 100_000])
def test_security_nesting_does_not_overflow_the_judges_stack(levels):
    head = header_of(Returned(id=1, value=None))
    at = head.index(b"\xa5value") + len(b"\xa5value")
    deep = head[:at] + b"\x92\xa1l\x91" * levels + b"\xc0" + head[at + 1 :]
    try:
        reply = decode_reply(deep)
    except ProtocolError:
        return
    assert isinstance(reply, Returned)  # the depth of a value is the decoder's business


# --- arrays out of a payload ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_every_dtype_is_cut_out_of_the_payload(dtype):
    made = np.zeros((2, 3), dtype=dtype)
    reader = ArrayReader(payload(b"\1" * 3 + made.tobytes()))
    reader.take(ArrayNode("|u1", [3]))  # so that what follows lies unaligned
    taken = reader.take(ArrayNode(dtype, [2, 3]))
    reader.finish()
    assert taken.dtype == np.dtype(dtype)
    assert taken.flags.aligned
    np.testing.assert_array_equal(taken, made)


def test_an_aligned_array_is_a_view_of_the_payload():
    body = np.zeros(64, dtype=np.uint8)
    assert np.shares_memory(ArrayReader(body).take(ArrayNode("<f8", [8])), body)


@pytest.mark.parametrize(
    "dtype", ["|O", "O", "object", "|V8", "<U4", "|S3", "<M8[s]", "<m8", ">f8", "f8", "<f16", "", "<f8,<f8", "\0"]
)
def test_security_only_plain_numbers_make_an_array(dtype):
    with pytest.raises(ProtocolError, match="can't be"):
        ArrayReader(payload(bytes(64))).take(ArrayNode(dtype, [2]))


@pytest.mark.parametrize("shape", [[-1], [2, -4], [9], [1 << 61], [1 << 64], [1] * (MAX_NDIM + 1), [3, 3]])
def test_security_a_shape_that_the_bytes_do_not_fill_is_refused(shape):
    with pytest.raises(ProtocolError):
        ArrayReader(payload(bytes(64))).take(ArrayNode("<f8", shape))


@pytest.mark.parametrize("shape", [[0, 1 << 62], [0, (1 << 64) - 1], [1 << 40, 0, 1 << 40], [1 << 63, 0], [1 << 28, 0]])
def test_security_an_empty_array_of_impossible_shape_is_refused(shape):
    with pytest.raises(ProtocolError):
        ArrayReader(payload(b"")).take(ArrayNode("<f8", shape))


def test_an_empty_array_keeps_its_shape():
    assert ArrayReader(payload(b"")).take(ArrayNode("<f4", [3, 0, 2])).shape == (3, 0, 2)


def test_an_array_of_no_dimensions_takes_one_item():
    reader = ArrayReader(payload(np.float64(2.5).tobytes()))
    assert reader.take(ArrayNode("<f8", [])) == 2.5
    reader.finish()


def test_the_second_array_can_not_read_the_first_ones_bytes_again():
    reader = ArrayReader(payload(bytes(16)))
    reader.take(ArrayNode("<f8", [1]))
    with pytest.raises(ProtocolError, match="longer than the payload"):
        reader.take(ArrayNode("<f8", [2]))


def test_bytes_that_no_array_takes_are_refused():
    reader = ArrayReader(payload(bytes(16)))
    reader.take(ArrayNode("<f8", [1]))
    with pytest.raises(ProtocolError, match="left over"):
        reader.finish()
