"""The output drain: the tail is kept, floods are noticed, and what the student prints can only spoil its own tail."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from autograder.box.output import TAIL_BYTES, OutputDrain, shown

LONG_S = 30.0
MARKER = b"\0marker\0"


class Tap:
    """A drain, and the end of its pipe that a box would write to."""

    def __init__(self, max_bytes: int, on_flood: Callable[[], None]) -> None:
        read, self.write_fd = os.pipe()
        self.pipe: IO[bytes] = os.fdopen(read, "rb")
        self.drain = OutputDrain(self.pipe, max_bytes, on_flood)

    def write(self, said: bytes) -> None:
        while said:
            said = said[os.write(self.write_fd, said) :]

    def stop(self) -> None:
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1


@pytest.fixture
def floods() -> list[bool]:
    """One entry for each time that a flood was told."""
    return []


@pytest.fixture
def tap(floods: list[bool]) -> Iterator[Tap]:
    """A drain that takes 1 MB."""
    made = Tap(1 << 20, lambda: floods.append(True))
    yield made
    made.stop()
    made.drain._thread.join(LONG_S)
    made.pipe.close()


def test_what_was_printed_up_to_the_marker_is_taken_once(tap: Tap):
    tap.write(b"one\n" + MARKER + b"two\n")
    assert tap.drain.take(MARKER, LONG_S) == b"one\n"
    tap.write(MARKER)
    assert tap.drain.take(MARKER, LONG_S) == b"two\n"


def test_nothing_printed_is_nothing(tap: Tap):
    tap.write(MARKER)
    assert tap.drain.take(MARKER, LONG_S) == b""


@pytest.mark.parametrize("much", [TAIL_BYTES + 1, 200_000, 900_000])
def test_only_the_tail_is_kept(tap: Tap, much, floods: list[bool]):
    said = bytes(number % 251 for number in range(much))
    tap.write(said + MARKER)
    taken = tap.drain.take(MARKER, LONG_S)
    assert said.endswith(taken)
    assert TAIL_BYTES < len(taken) <= 128 << 10
    assert not floods


def test_the_drain_holds_a_bounded_part_of_a_flood(tap: Tap, until):
    tap.write(b"x" * (4 << 20))
    tap.stop()
    tap.drain._thread.join(LONG_S)
    assert len(tap.drain._tail) <= 128 << 10


def test_a_marker_that_never_comes_costs_its_timeout_only(tap: Tap):
    tap.write(b"a")
    taken = tap.drain.take(b"\0never\0", 0.05)
    tap.write(b"b" + MARKER)
    # The byte was there in time, or comes with the next: it is not lost, nor told twice.
    assert taken + tap.drain.take(MARKER, LONG_S) == b"ab"


def test_security_a_forged_marker_cuts_the_tail_and_nothing_else(tap: Tap, floods: list[bool]):
    tap.write(b"mine" + MARKER + b"forged" + MARKER)
    assert tap.drain.take(MARKER, LONG_S) == b"mine"
    tap.write(b"\0next\0")
    assert tap.drain.take(b"\0next\0", LONG_S) == b"forged" + MARKER
    assert not floods


def test_after_the_end_the_rest_is_taken(tap: Tap):
    tap.write(b"last words")
    tap.stop()
    assert tap.drain.take_all(LONG_S) == b"last words"
    assert tap.drain.take_all(LONG_S) == b""


def test_the_end_without_a_marker_ends_the_wait(tap: Tap):
    tap.write(b"cut")
    tap.stop()
    assert tap.drain.take(MARKER, LONG_S) == b"cut"


def test_a_pipe_kept_open_by_a_daemon_does_not_hold_the_judge(tap: Tap, until):
    tap.write(b"said")
    assert until(lambda: tap.drain._tail)
    assert tap.drain.take_all(0.05) == b"said"


def test_up_to_the_limit_is_no_flood(tap: Tap, floods: list[bool]):
    tap.write(b"x" * ((1 << 20) - len(MARKER)) + MARKER)
    tap.drain.take(MARKER, LONG_S)
    assert not floods


def test_a_flood_is_told_once_and_still_drained(tap: Tap, floods: list[bool], until):
    tap.write(b"x" * (1 << 20))
    tap.write(b"y" * (3 << 20) + MARKER)
    assert set(tap.drain.take(MARKER, LONG_S)) == set(b"y")
    assert floods == [True]


def test_the_count_starts_anew_with_each_check(tap: Tap, floods: list[bool]):
    for _ in range(4):
        tap.write(b"x" * 900_000 + MARKER)
        tap.drain.take(MARKER, LONG_S)
    assert not floods


def test_the_limit_is_counted_from_the_marker_on(tap: Tap, floods: list[bool]):
    tap.write(MARKER + b"x" * 100_000)
    tap.drain.take(MARKER, LONG_S)
    tap.write(b"x" * (1 << 20) + MARKER)
    tap.drain.take(MARKER, LONG_S)
    assert floods == [True]


def test_a_callback_that_ends_the_box_does_not_end_the_drain():
    told = threading.Event()
    made = Tap(10, told.set)
    made.write(b"x" * 11)
    assert told.wait(LONG_S)
    made.write(b"more")
    made.stop()
    assert made.drain.take_all(LONG_S) == b"x" * 11 + b"more"
    made.drain._thread.join(LONG_S)
    made.pipe.close()


def test_a_pipe_closed_under_the_drain_ends_it():
    read, write = os.pipe()
    pipe = os.fdopen(read, "rb")
    os.close(write)
    pipe.close()
    drain = OutputDrain(pipe, 10, lambda: None)
    assert drain.take_all(LONG_S) == b""


# --- as a terminal leaves it ----------------------------------------------------------------------------------------


def keras_bar(done: int, of: int) -> str:
    """One state of Keras's progress bar, after it has gone back over the one before."""
    back = "\b" * 60 + "\r"
    return f"{back}\x1b[1m{done}/{of}\x1b[0m \x1b[37m━━━━\x1b[0m \x1b[1m0s\x1b[0m 2ms/step"


@pytest.mark.parametrize(
    ("printed", "left"),
    [
        ("a\nb\n", "a\nb\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("".join(keras_bar(done, 32) for done in range(1, 33)) + "\n", "32/32 ━━━━ 0s 2ms/step\n"),
        ("Epoch 1/2\n" + keras_bar(1, 32) + keras_bar(7, 32), "Epoch 1/2\n7/32 ━━━━ 0s 2ms/step"),
        ("\r 50%|██ | 1/2\r100%|███| 2/2\ndone\n", "100%|███| 2/2\ndone\n"),
        ("loss 3\rloss 2\r", "loss 2"),
        ("-\b\\\b|\b/\bready", "ready"),
        ("\b\b\r\r\n", "\n"),
        ("\x1b[31mred\x1b[0m \x1b[2K\x1b[1;5Hthere", "red there"),
        ("\x1b]0;a title\x07x\x1b]8;;http://a\x1b\\link", "xlink"),
        ("\x1b(B\x1b=\x1bMx", "x"),
        ("\x1b[31", "\x1b[31"),  # cut off: what is shown has no control characters, the report sees to that
    ],
)
def test_a_progress_bar_is_left_in_its_last_state(printed, left):
    assert shown(printed.encode()) == left


def test_what_was_printed_before_a_long_progress_bar_is_kept():
    printed = "shape (32, 1)\n" + "".join(keras_bar(done, 900) for done in range(1, 901)) + "\n"
    assert len(printed.encode()) > TAIL_BYTES
    assert shown(printed.encode()) == "shape (32, 1)\n900/900 ━━━━ 0s 2ms/step\n"


def test_what_is_shown_is_the_tail_in_whole_characters():
    left = shown("好".encode() * TAIL_BYTES)
    assert len(left.encode()) <= TAIL_BYTES
    assert set(left) == {"好"}


@pytest.mark.parametrize(
    "piece", [b"\r", b"\b", b"x\b", b"x\r", b"\x1b", b"\x1b[", b"\x1b[1", b"\x1b]", b"\x1b]x\x1b", b"\x1b[;"]
)
def test_security_no_output_takes_long_to_be_cleaned(piece):
    # Eight times what a drain holds: squared, it would take hours.
    for printed in ((piece * (1 << 20))[: 1 << 20], piece + b"1" * (1 << 20)):
        assert len(shown(printed).encode()) <= TAIL_BYTES
