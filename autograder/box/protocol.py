"""What crosses between judge and box: frames with a typed msgspec header and raw array bytes. Never pickle.

A frame is `u32 header length | u64 payload length | header | payload`, little-endian. The header is one message, a
tagged msgspec struct with unknown fields forbidden; arrays lie one after the other in the payload, in the order in
which their nodes appear in the header. Lengths are capped before anything is allocated; dtype, shape and byte count of
each array are checked against each other, so a forged header can make a wrong value but never a wild read.

Imported on both sides: the standard library, numpy and msgspec only, and by Python 3.9 too.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional, Union, cast

import msgspec
import numpy as np

from autograder.box.advice import Note

MAX_HEADER_BYTES = 4 << 20  # a list of a few hundred thousand numbers; what is larger should be an array
MAX_PAYLOAD_BYTES = 1 << 30  # all arrays of one message together: Fashion-MNIST's 60,000 images are 47 MB
MAX_DEPTH = 32  # nested containers in one value
MAX_ITEMS = 500_000  # values in one message
MAX_FILES = 1000  # of a folder that is moved from box to box
MAX_NDIM = 8
MAX_EMPTY_ROWS = 1 << 16  # of all axes of an empty array but those of length 0

# Exit statuses of the worker: its channel was closed; something that Python itself works with was replaced.
CHANNEL_LOST, BROKEN = 97, 98

PREFIX = struct.Struct("<IQ")

# SECURITY: object and void dtypes are absent: an object array is a list of pointers, or pickle.
DTYPES = frozenset(
    ["|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"],
)


class ProtocolError(Exception):
    """What came is not a frame of this protocol, or exceeds its bounds."""


class TooLarge(ProtocolError):
    """A frame with more bytes of arrays than the limits of this box allow."""

    def __init__(self, payload_bytes: int) -> None:
        super().__init__(f"{payload_bytes:,} bytes of arrays")
        self.payload_bytes = payload_bytes


class Unsendable(Exception):
    """A value of this kind can't cross; the text says which and why.

    Args:
        why: the text.
        payload_bytes: of the arrays, where those were too many.
    """

    def __init__(self, why: str, payload_bytes: int = 0) -> None:
        super().__init__(why)
        self.payload_bytes = payload_bytes


# --- values ---------------------------------------------------------------------------------------------------------


class Node(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """A value that plain msgpack has no type for."""


class ListNode(Node, frozen=True, tag="l"):
    items: list[Value]


class TupleNode(Node, frozen=True, tag="t"):
    items: list[Value]


class DictNode(Node, frozen=True, tag="d"):
    keys: list[Value]
    values: list[Value]


class BigInt(Node, frozen=True, tag="i"):
    """An int beyond 64 bits, in hexadecimal: parsing decimal digits takes quadratic time."""

    digits: str


class BytesNode(Node, frozen=True, tag="b"):
    raw: bytes


class Complex(Node, frozen=True, tag="c"):
    real: float
    imag: float


class ArrayNode(Node, frozen=True, tag="a"):
    """The next `product(shape) * itemsize` bytes of the payload."""

    dtype: str
    shape: list[int]


class ScalarNode(Node, frozen=True, tag="s"):
    """A numpy scalar: it crosses as one, so that a check can tell np.bool_ from bool where it matters."""

    dtype: str
    raw: bytes


class Handle(Node, frozen=True, tag="h"):
    """An object that stays in the box: its number there and the box's generation."""

    number: int
    generation: int
    type_name: str
    callable: bool


class Path(Node, frozen=True, tag="p"):
    """An attribute of the student's module, by name; resolved in whichever box the call goes to."""

    name: str


Value = Union[  # noqa: UP007 - msgspec resolves this by name at run time, where Python 3.9 knows no `X | Y`
    None, bool, int, float, str,
    BytesNode, ListNode, TupleNode, DictNode, BigInt, Complex, ArrayNode, ScalarNode, Handle, Path,
]  # fmt: skip
Target = Union[Handle, Path]  # noqa: UP007 - as Value


# --- messages -------------------------------------------------------------------------------------------------------


class Message(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    id: int


class Load(Message, frozen=True, tag="load"):
    """Write these files (their bytes lie in the payload, one uint8 array each) and import `main`."""

    files: list[str]
    contents: list[ArrayNode]
    main: str
    generation: int
    device: str
    threads: int
    memory_bytes: int
    cpu_s: int
    file_bytes: int
    answer_bytes: int
    frameworks: list[str]
    notebook: bool = False  # what every notebook has without an import is there: display, get_ipython
    cells: list[int] = []  # of a notebook: the line of `main` that each begins at, from 1; they run one by one
    cells_s: float = 0.0  # that they may take together
    stopped: list[int] = []  # lines that cells were stopped at in the attempt's first box
    show: str = ""  # somebody looks at what they show: the secret of the marks (autograder.box.screen)
    gpu_share: float = 0.0  # of the memory of each granted GPU; 0: none is granted
    datasets: dict[str, str] = {}  # mounted ones: the folder of each one's .gz files, as the box sees it


class Get(Message, frozen=True, tag="get"):
    target: Target
    name: str = ""  # empty with a Path: the module's attribute itself


class Set(Message, frozen=True, tag="set"):
    target: Target
    name: str
    value: Value


class Call(Message, frozen=True, tag="call"):
    """Call a function. With `keep` the result stays in the box, whatever it is, and a handle to it is the answer."""

    target: Target
    args: list[Value]
    kwargs: dict[str, Value]
    seed: int
    keep: bool = False


class Put(Message, frozen=True, tag="put"):
    """Keep this value in the box and answer with a handle to it."""

    value: Value


class Take(Message, frozen=True, tag="take"):
    """Send the current value of what a handle stands for, as plain data."""

    target: Target


class WriteFolder(Message, frozen=True, tag="write_folder"):
    """Make a new folder with these files, a dict of relative paths and uint8 arrays, and answer with its path."""

    files: Value


class ReadFolder(Message, frozen=True, tag="read_folder"):
    """Send the files below a folder, as WriteFolder takes them."""

    folder: str


class Release(Message, frozen=True, tag="release"):
    numbers: list[int]


class Sync(Message, frozen=True, tag="sync"):
    """Flush the student's output and write `marker` after it, so that the judge knows that it has read all of it."""

    marker: str


Request = Union[  # noqa: UP007 - as Value
    Load, Get, Set, Call, Put, Take, WriteFolder, ReadFolder, Release, Sync,
]  # fmt: skip


class Environment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    python: str
    platform: str
    numpy: Optional[str]  # noqa: UP045 - as Value
    torch: Optional[str]  # noqa: UP045
    tensorflow: Optional[str]  # noqa: UP045
    threads: int
    device: str
    device_name: str
    device_memory: int = 0  # bytes; 0: not known
    device_problem: str = ""  # why an accelerator could not be asked for


class Frame(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One frame of a traceback. `student`: it lies in the submission, and `file` is relative to it."""

    file: str
    line: int
    function: str
    source: str
    student: bool


class Outline(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the main file holds where a name that was asked for is missing: words for the student, never evidence."""

    model: str = ""  # a class that is a network
    trainer: str = ""  # a function that trains, with its parameters: train(dataloader, model, loss_fn, optimizer)
    takes_loader: bool = False  # the trainer wants batches, as the lesson's does
    first_line: int = 0  # of the statements at the top that train; 0: there are none
    last_line: int = 0
    inside: str = ""  # the class or function that the missing name is defined in
    inside_line: int = 0


class Loaded(Message, frozen=True, tag="loaded"):
    names: list[str]
    environment: Environment
    figures: list[bytes] = []  # that cells have shown, as PNG; only where they were asked for
    stopped: list[int] = []  # lines that cells stood at when they had taken too long


class Returned(Message, frozen=True, tag="returned"):
    value: Value


class Raised(Message, frozen=True, tag="raised"):
    """The student's code raised. `mro` names the exception's base classes, so that a subclass is recognised."""

    type_name: str
    mro: list[str]
    text: str
    frames: list[Frame]
    names: list[str] = []  # what the module defines, where an attribute was missing from it
    outline: Optional[Outline] = None  # noqa: UP045 - of the main file, where it was that which defines no such name
    missing: str = ""  # the attribute that was missing (of an object: `text` is its class), or the module not found
    syntax: bool = False  # a syntax error of a file handed in: its only frame is the place, `column` is from 1
    column: int = 0
    unsendable: bool = False
    answer_bytes: int = 0  # of arrays that were too many to be sent
    errnos: list[int] = []  # of the OSErrors among its causes; 0: one without


class Synced(Message, frozen=True, tag="synced"):
    """The output is through. `notes`: what else the box has to tell since the last time (autograder.box.advice)."""

    notes: list[Note] = []


Reply = Union[Loaded, Returned, Raised, Synced]  # noqa: UP007 - as Value

_encoder = msgspec.msgpack.Encoder()
_request_decoder = msgspec.msgpack.Decoder(Request)
_reply_decoder = msgspec.msgpack.Decoder(Reply)


# --- frames ---------------------------------------------------------------------------------------------------------


def encode_message(
    message: Message, arrays: list[np.ndarray[Any, Any]], most_bytes: int = MAX_PAYLOAD_BYTES
) -> list[bytes | memoryview]:
    """Return a frame as buffers to be written one after the other.

    Raises:
        Unsendable: larger than a frame may be.
    """
    try:
        header = _encoder.encode(message)
    except (UnicodeEncodeError, RecursionError) as error:  # a lone surrogate is a str that has no UTF-8
        raise Unsendable(f"a text or list that has no plain form ({error})") from None
    buffers = [array.reshape(-1).view(np.uint8).data for array in arrays if array.nbytes]
    payload_bytes = sum(buffer.nbytes for buffer in buffers)
    if len(header) > MAX_HEADER_BYTES:
        raise Unsendable(f"{len(header):,} bytes of lists, texts and numbers; an array can be larger, a list can't")
    if payload_bytes > most_bytes:
        raise Unsendable(
            f"{payload_bytes:,} bytes of arrays; at most {most_bytes:,} can be handed over at once", payload_bytes
        )
    return [PREFIX.pack(len(header), payload_bytes) + header, *buffers]


class Lengths(NamedTuple):
    header: int
    payload: int


def decode_prefix(prefix: bytes) -> Lengths:
    """Return the two lengths of a frame, or raise ProtocolError where they exceed the caps."""
    lengths = Lengths(*PREFIX.unpack(prefix))
    # SECURITY: before allocating: 12 forged bytes must not make the judge reserve 16 EB.
    if lengths.header > MAX_HEADER_BYTES or lengths.payload > MAX_PAYLOAD_BYTES:
        raise ProtocolError(f"a frame of {lengths.header:,} + {lengths.payload:,} bytes is beyond the limit")
    return lengths


def decode_request(header: bytes) -> Request:
    """Return the judge's message (in the box)."""
    return cast("Request", _request_decoder.decode(header))


def decode_reply(header: bytes) -> Reply:
    """Return the box's message (in the judge).

    Raises:
        ProtocolError: not a message of this protocol.
    """
    try:
        return cast("Reply", _reply_decoder.decode(header))
    # RecursionError: msgspec guards its own stack by it; both are what hostile bytes may cause.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not a message of the protocol: {str(error)[:200]}") from None


def is_hollow(shape: Iterable[int]) -> bool:
    """Return whether an array has no values, and more rows than any that is empty by chance.

    SECURITY: it has no bytes and may yet have 2**62 rows: each is a list once somebody takes it for one, and along them
    a check's sum or copy takes all memory.
    """
    axes = tuple(shape)
    return 0 in axes and math.prod(axis or 1 for axis in axes) > MAX_EMPTY_ROWS


class ArrayReader:
    """Cuts a payload into arrays, in order, checking each node against the bytes that are left."""

    def __init__(self, payload: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        self._payload = payload
        self._at = 0

    def take(self, node: ArrayNode) -> np.ndarray[Any, Any]:
        """Return the array of `node` as a view of the payload.

        Raises:
            ProtocolError: unknown dtype, bad shape, or not enough bytes.
        """
        if node.dtype not in DTYPES or len(node.shape) > MAX_NDIM or min(node.shape, default=0) < 0:
            raise ProtocolError(f"an array of dtype {node.dtype[:20]!r} and shape {node.shape[:10]} can't be")
        dtype = np.dtype(node.dtype)
        size = math.prod(node.shape) * dtype.itemsize
        if size > self._payload.nbytes - self._at:
            raise ProtocolError("an array is longer than the payload")
        if is_hollow(node.shape):
            raise ProtocolError("an empty array of impossible shape")
        raw = self._payload[self._at : self._at + size]
        self._at += size
        # A copy where the bytes lie unaligned for their type: numpy would work, but slowly, on every use.
        aligned = raw if raw.ctypes.data % max(dtype.alignment, 1) == 0 else raw.copy()
        return aligned.view(dtype).reshape(node.shape)

    def finish(self) -> None:
        """Raise ProtocolError where bytes are left over."""
        if self._at != self._payload.nbytes:
            raise ProtocolError("bytes are left over after the last array")
