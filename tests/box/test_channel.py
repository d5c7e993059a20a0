"""The channel: whole frames, a deadline for each, and nobody but the worker on the other side."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

from autograder.box import channel as channel_module
from autograder.box.channel import (
    Channel,
    ChannelClosed,
    DeadlineExceeded,
    Offer,
    RawFrame,
    accept,
    connect,
    offer,
    offer_loopback,
    offer_pair,
)
from autograder.box.protocol import PREFIX, ProtocolError, Returned, Synced, decode_reply, encode_message

LONG_S = 30.0  # a limit that no test is meant to reach
BIG = 47_040_000  # bytes of Fashion-MNIST's training images


class Ends(NamedTuple):
    judge: Channel
    worker: Channel


def _connected(made: Offer) -> Ends:
    with ThreadPoolExecutor() as pool:
        worker = pool.submit(connect, _duplicated(made.argument), made.secret)
        return Ends(accept(made), worker.result())


def _duplicated(argument: str) -> str:
    """What inheriting does: a descriptor of the worker's own, for `accept` closes the judge's copy."""
    kind, number = argument.split(":")
    return f"fd:{os.dup(int(number))}" if kind == "fd" else argument


@pytest.fixture(params=[offer_pair, offer_loopback], ids=["socketpair", "loopback"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """A channel made either way."""
    made = _connected(request.param())
    yield made
    for end in made:
        end.close()


@pytest.fixture
def raw() -> Iterator[tuple[Channel, socket.socket]]:
    """The judge's end, and the bare socket of whoever is on the other side."""
    ours, theirs = socket.socketpair()
    judge = Channel(ours)
    yield judge, theirs
    judge.close()
    theirs.close()


@pytest.fixture
def aside() -> Iterator[Callable[..., None]]:
    """Runs a function in a thread that is joined after the test."""
    threads: list[threading.Thread] = []

    def start(function: Callable[..., object], *args: object) -> None:
        threads.append(threading.Thread(target=function, args=args))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def frame(value: object = 1) -> bytes:
    return b"".join(encode_message(Returned(id=1, value=value), []))  # type: ignore[arg-type]


# --- frames ---------------------------------------------------------------------------------------------------------


def test_frames_go_both_ways_and_in_order(ends: Ends):
    for number in range(3):
        ends.judge.send(Returned(id=number, value="question"), [])
        ends.worker.send(Returned(id=number, value="answer"), [np.arange(number)])
    for number in range(3):
        assert decode_reply(ends.worker.receive(LONG_S).header) == Returned(id=number, value="question")
        came = ends.judge.receive(LONG_S)
        assert decode_reply(came.header) == Returned(id=number, value="answer")
        assert came.payload.tobytes() == np.arange(number).tobytes()


def test_a_large_array_arrives_intact(ends: Ends, aside):
    images = np.random.default_rng(0).integers(0, 256, BIG, dtype=np.uint8)
    aside(ends.worker.send, Synced(id=1), [images, images[:3]])
    payload = ends.judge.receive(LONG_S).payload
    assert payload.nbytes == BIG + 3
    assert np.array_equal(payload[:BIG], images)


def test_an_empty_frame_arrives(raw):
    judge, other = raw
    other.sendall(PREFIX.pack(0, 0))
    came = judge.receive(LONG_S)
    assert (came.header, came.payload.size) == (b"", 0)
    assert isinstance(came, RawFrame)


@pytest.mark.parametrize("lengths", [((1 << 32) - 1, 0), (10, (1 << 64) - 1)])
def test_security_a_forged_length_is_refused_without_waiting_for_the_bytes(raw, lengths):
    judge, other = raw
    other.sendall(PREFIX.pack(*lengths))
    with pytest.raises(ProtocolError):
        judge.receive(LONG_S)


# --- the other side is gone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [0, 1, PREFIX.size, PREFIX.size + 1, -1])
def test_the_end_of_the_stream_is_noticed_wherever_it_comes(raw, sent):
    judge, other = raw
    other.sendall(frame()[:sent])
    other.close()
    with pytest.raises(ChannelClosed):
        judge.receive(LONG_S)


def test_the_end_of_the_stream_in_an_array_is_noticed(raw):
    judge, other = raw
    other.sendall(PREFIX.pack(1, 100) + b"h" + bytes(99))
    other.close()
    with pytest.raises(ChannelClosed):
        judge.receive(LONG_S)


def test_sending_to_nobody_is_noticed(raw):
    judge, other = raw
    other.close()
    with pytest.raises(ChannelClosed):
        judge.send(Synced(id=1), [np.zeros(1 << 20)])


def test_security_a_socket_kept_open_by_someone_else_does_not_hide_that_the_worker_is_gone(raw, monkeypatch):
    monkeypatch.setattr(channel_module, "_SLICE_S", 0.05)
    judge, other = raw
    kept = other.dup()  # as by a daemon that the student's code left behind
    other.sendall(frame()[:5])
    other.close()
    with pytest.raises(ChannelClosed):
        judge.receive(LONG_S, lambda: False)
    kept.close()


def test_what_a_worker_sent_before_it_went_is_read(raw, monkeypatch):
    monkeypatch.setattr(channel_module, "_SLICE_S", 0.05)
    judge, other = raw
    kept = other.dup()
    other.sendall(frame("last words"))
    other.close()
    assert decode_reply(judge.receive(LONG_S, lambda: False).header) == Returned(id=1, value="last words")
    kept.close()


def test_a_slow_worker_that_lives_is_waited_for(raw, monkeypatch):
    monkeypatch.setattr(channel_module, "_SLICE_S", 0.05)
    judge, other = raw
    asked = []

    def alive() -> bool:
        asked.append(True)
        if len(asked) == 2:
            other.sendall(frame())
        return True

    assert judge.receive(LONG_S, alive).header
    assert len(asked) == 2


class Announced(socket.socket):
    """A socket that says when it is being read."""

    reading: threading.Event

    def recv_into(self, *args: Any) -> int:
        self.reading.set()
        return super().recv_into(*args)


def test_close_wakes_a_reader_and_can_be_repeated(raw):
    judge, other = raw
    with Announced(fileno=judge._socket.detach()) as sock, ThreadPoolExecutor() as pool:
        sock.reading = threading.Event()
        judge._socket = sock
        waiting = pool.submit(judge.receive)
        assert sock.reading.wait(LONG_S)
        judge.close()
        judge.close()
        assert isinstance(waiting.exception(LONG_S), ChannelClosed)
    assert other.recv(1) == b""


@pytest.mark.parametrize("use", [lambda end: end.receive(1.0), lambda end: end.send(Synced(id=1), [])])
def test_a_channel_that_we_closed_is_closed(raw, use):
    raw[0].close()
    with pytest.raises(ChannelClosed):
        use(raw[0])


# --- deadlines ------------------------------------------------------------------------------------------------------


def test_silence_ends_at_the_deadline(raw):
    with pytest.raises(DeadlineExceeded):
        raw[0].receive(0.05)


class Clock:
    """Time that passes only when a socket is waited on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(channel_module.time, "monotonic", lambda: self.now)


class SlowSocket:
    """A peer that takes its time for each byte given, or for each buffer taken."""

    def __init__(self, clock: Clock, each_s: float) -> None:
        self.clock, self.each_s, self.timeout = clock, each_s, 0.0
        self.given = 0

    def settimeout(self, timeout: float) -> None:
        self.timeout = timeout

    def _wait(self) -> None:
        self.clock.now += min(self.each_s, self.timeout)
        if self.each_s > self.timeout:
            raise TimeoutError

    def recv_into(self, buffer: memoryview) -> int:
        self._wait()
        self.given += 1
        buffer[:1] = b"\0"
        return 1

    def sendall(self, buffer: Any) -> None:
        self._wait()


def test_security_a_deadline_is_for_the_whole_frame_not_for_each_byte(monkeypatch):
    drip = SlowSocket(Clock(monkeypatch), each_s=0.4)
    with pytest.raises(DeadlineExceeded):
        Channel(drip).receive(2.0)  # type: ignore[arg-type]
    assert drip.given == 4  # of the twelve bytes of the prefix; each came in time by itself


def test_security_a_deadline_is_for_the_whole_frame_not_for_each_array_sent(monkeypatch):
    slow = SlowSocket(Clock(monkeypatch), each_s=0.9)
    with pytest.raises(DeadlineExceeded):
        Channel(slow).send(Synced(id=1), [np.zeros(1)] * 3, 1.0)  # type: ignore[arg-type]


def test_a_peer_that_reads_nothing_ends_sending_at_the_deadline(raw):
    with pytest.raises(DeadlineExceeded):
        raw[0].send(Synced(id=1), [np.zeros(1 << 22)], 0.05)


# --- who is on the other side ---------------------------------------------------------------------------------------


def test_what_the_worker_is_told_on_its_command_line_is_no_secret():
    made = offer_loopback()
    assert made.listener is not None
    assert made.secret
    assert made.argument == f"port:{made.listener.getsockname()[1]}"
    assert not made.inherit
    made.listener.close()


def test_the_port_is_on_loopback_only():
    made = offer_loopback()
    assert made.listener is not None
    assert made.listener.getsockname()[0] == "127.0.0.1"
    made.listener.close()


@pytest.mark.parametrize(
    "said", [b"", b"\0" * 16, b"\0" * 64, b"half"], ids=["nothing", "wrong", "too-much", "too-little"]
)
@pytest.mark.parametrize("stays", [True, False], ids=["stays", "leaves"])
def test_security_a_stranger_who_connects_first_is_not_taken_for_the_worker(said, stays, monkeypatch):
    monkeypatch.setattr(channel_module, "_TOKEN_S", 0.2)
    made = offer_loopback()
    assert made.listener is not None
    with socket.create_connection(made.listener.getsockname()) as stranger:
        stranger.sendall(said)
        if not stays:
            stranger.close()
        worker = connect(made.argument, made.secret)  # behind the stranger; its token has come when it is its turn
        judge = accept(made)
        worker.send(Synced(id=5), [])
        assert decode_reply(judge.receive(LONG_S).header) == Synced(id=5)
    judge.close()
    worker.close()


def test_a_token_that_comes_in_pieces_is_the_token(aside):
    made = offer_loopback()
    assert made.listener is not None
    with socket.create_connection(made.listener.getsockname()) as other:

        def tell() -> None:
            other.sendall(made.secret[:5])
            time.sleep(0.05)
            other.sendall(made.secret[5:] + frame())

        aside(tell)
        judge = accept(made)
        assert decode_reply(judge.receive(LONG_S).header)
        judge.close()


def test_nobody_connecting_ends_the_wait(monkeypatch):
    monkeypatch.setattr(channel_module, "_CONNECT_S", 0.05)
    with pytest.raises(ChannelClosed):
        accept(offer_loopback())


def test_each_platform_has_its_means(monkeypatch):
    monkeypatch.setattr(channel_module.sys, "platform", "win32")
    made = offer()
    assert made.listener is not None
    made.listener.close()
    monkeypatch.setattr(channel_module.sys, "platform", "linux")
    made = offer()
    assert made.pair is not None
    for end in made.pair:
        end.close()


def test_security_programs_that_the_student_starts_do_not_inherit_the_channel():
    made = offer_pair()
    assert made.pair is not None
    inherited = os.dup(made.pair[1].fileno())
    os.set_inheritable(inherited, True)  # as pass_fds does for the worker
    worker = connect(f"fd:{inherited}", b"")
    assert not os.get_inheritable(worker._socket.fileno())
    judge = accept(made)
    judge.close()
    worker.close()
