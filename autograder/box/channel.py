"""The channel: one stream socket that carries frames, with a deadline for the whole frame.

A socket, because it is there on every platform and can be given a timeout; two ways to make one, because a socketpair
can be inherited on POSIX, while on Windows (where a venv's python.exe is a launcher with another pid) the worker has to
connect by itself and prove who it is.

Imported on both sides: the standard library, numpy and the protocol only.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autograder.box.protocol import (
    MAX_PAYLOAD_BYTES,
    PREFIX,
    Message,
    ProtocolError,
    TooLarge,
    decode_prefix,
    encode_message,
)

_BUFFER_BYTES = 1 << 20
_TOKEN_BYTES = 16
_TOKEN_S = 1.0
_SLICE_S = 0.5  # one wait on the socket: on Windows, Ctrl-C is not seen during it
_TIMEOUTS = (TimeoutError, socket.timeout)  # two classes in Python 3.9
_CONNECT_S = 60.0  # a cold Python on a slow disk behind a virus scanner


class ChannelClosed(Exception):
    """The other side is gone."""


class DeadlineExceeded(Exception):
    """The frame was not complete in time."""


class RawFrame(NamedTuple):
    """A frame as it came: the header's bytes, and the payload as [n] uint8."""

    header: bytes
    payload: np.ndarray[Any, np.dtype[np.uint8]]


class _Wait(NamedTuple):
    deadline: float
    alive: Callable[[], bool]


class Channel:
    """Frames on a connected stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        # Of arrays, in one frame; the limits of a box may be lower than what the protocol bears.
        self.most_sent_bytes = self.most_received_bytes = MAX_PAYLOAD_BYTES

    def send(self, message: Message, arrays: list[np.ndarray[Any, Any]], timeout_s: float | None = None) -> None:
        """Send one frame.

        Raises:
            ChannelClosed: the other side is gone.
            DeadlineExceeded: it did not read the frame in time.
            Unsendable: larger than a frame may be.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            for buffer in encode_message(message, arrays, self.most_sent_bytes):
                left_s = None if deadline is None else deadline - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise DeadlineExceeded
                self._socket.settimeout(left_s)
                self._socket.sendall(buffer)
        except _TIMEOUTS:
            raise DeadlineExceeded from None
        except OSError:
            raise ChannelClosed from None

    def receive(self, timeout_s: float | None = None, alive: Callable[[], bool] = lambda: True) -> RawFrame:
        """Receive one frame.

        Args:
            timeout_s: for the whole frame; a timeout a read would let one byte a second go on for ever.
            alive: asked now and then; once it says no and nothing comes, the channel counts as closed. End of file
                alone would not do: a daemon that the student's code left behind keeps its copy of the socket open.

        Raises:
            ChannelClosed: the other side is gone, or closed in the middle of a frame.
            DeadlineExceeded: the frame was not complete in time.
            ProtocolError: its lengths are beyond the caps.
        """
        wait = _Wait(math.inf if timeout_s is None else time.monotonic() + timeout_s, alive)
        prefix = bytearray(PREFIX.size)
        self._fill(memoryview(prefix), wait)
        lengths = decode_prefix(bytes(prefix))
        if lengths.payload > self.most_received_bytes:
            raise TooLarge(lengths.payload)
        header = bytearray(lengths.header)
        self._fill(memoryview(header), wait)
        payload = np.empty(lengths.payload, dtype=np.uint8)
        if lengths.payload:
            self._fill(payload.data, wait)
        return RawFrame(bytes(header), payload)

    def _fill(self, buffer: memoryview, wait: _Wait) -> None:
        at = 0
        while at < buffer.nbytes:
            left_s = wait.deadline - time.monotonic()
            if left_s <= 0:
                raise DeadlineExceeded
            try:
                self._socket.settimeout(min(left_s, _SLICE_S))
                count = self._socket.recv_into(buffer[at:])
            except _TIMEOUTS:
                if wait.alive():
                    continue
                raise ChannelClosed from None
            except OSError:
                raise ChannelClosed from None
            if count == 0:
                raise ChannelClosed
            at += count

    def close(self) -> None:
        """Close; a reader blocked on it, here or in a process that inherited it, wakes up."""
        with contextlib.suppress(OSError):  # it was never connected, or the other side has closed already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def let_go(self) -> None:
        """Close this process's copy: one that was forked from it goes on with its own."""
        self._socket.close()


class Offer(NamedTuple):
    """The judge's end of a channel that the worker has still to take up."""

    argument: str  # what the worker is told on its command line: how to connect, nothing secret
    secret: bytes  # what it is told on stdin
    inherit: tuple[int, ...]  # descriptors that it must inherit
    listener: socket.socket | None
    pair: tuple[socket.socket, socket.socket] | None


def offer_pair() -> Offer:
    """Offer one end of a socketpair, inherited by number (POSIX)."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        # Every filled buffer is a switch between the two processes: the default holds a 200th of a 47 MB array.
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    return Offer(f"fd:{theirs.fileno()}", b"", (theirs.fileno(),), None, (ours, theirs))


def offer_loopback() -> Offer:
    """Offer a connection to a port on loopback, proved with a token given on stdin (Windows)."""
    listener = socket.create_server(("127.0.0.1", 0))
    # SECURITY: any process of the machine can connect to the port; only the worker knows the token. It goes by stdin,
    # for command lines can be read by other users.
    return Offer(f"port:{listener.getsockname()[1]}", secrets.token_bytes(_TOKEN_BYTES), (), listener, None)


def offer() -> Offer:
    """Offer a channel by the means of this platform."""
    return offer_loopback() if sys.platform == "win32" else offer_pair()


def accept(made: Offer) -> Channel:
    """Return the judge's end, once the worker has been started.

    Raises:
        ChannelClosed: nobody with the token connected.
    """
    if made.pair is not None:
        made.pair[1].close()
        return Channel(made.pair[0])
    if made.listener is None:
        raise ProtocolError("an offer without a socket")
    with made.listener as listener:
        return _accept_with_token(listener, made.secret)


def _accept_with_token(listener: socket.socket, token: bytes) -> Channel:
    deadline = time.monotonic() + _CONNECT_S
    while (left_s := deadline - time.monotonic()) > 0:
        listener.settimeout(left_s)
        try:
            connection, _ = listener.accept()
        except OSError:
            continue
        if _knows(connection, token):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Channel(connection)
        connection.close()
    raise ChannelClosed


def _knows(connection: socket.socket, token: bytes) -> bool:
    """Whether the other side sends the token, soon: a stranger that says nothing must not keep the worker out."""
    came = b""
    connection.settimeout(_TOKEN_S)
    with contextlib.suppress(OSError):
        while len(came) < _TOKEN_BYTES and (more := connection.recv(_TOKEN_BYTES - len(came))):
            came += more
    return secrets.compare_digest(came, token)


def connect(argument: str, secret: bytes) -> Channel:
    """Take up the offer (in the worker)."""
    kind, number = argument.split(":")
    if kind == "fd":
        sock = socket.socket(fileno=int(number))
        sock.set_inheritable(False)
        return Channel(sock)
    sock = socket.create_connection(("127.0.0.1", int(number)), timeout=_CONNECT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(secret)
    return Channel(sock)
