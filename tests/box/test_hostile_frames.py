"""Hostile frames to the judge as it is, through a real socket: twenty thousand in CI, as many as wanted by hand.

python -m tests.box.fuzz_frames 1000000
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from autograder.box import client, protocol, values
from autograder.box.causes import BoxDied, Cause
from autograder.box.protocol import PREFIX, ArrayNode, Handle, ListNode, Returned, Value, encode_message
from autograder.judge import expectations, verdict
from autograder.results import Status

if sys.platform == "win32":
    pytest.skip("memory is limited by POSIX's means", allow_module_level=True)

from tests.box.fuzz_frames import run
from tests.box.hostile import GENERATION, ID, LOADED, SOON_S, Judge, outcome

ROOT = Path(__file__).resolve().parents[2]
OUTCOMES = {"value", "exception of the student's", "protocol error", "channel closed", "deadline"}
# Of 20,000 small frames, hypothesis's own memory and what numpy and msgspec keep for themselves included.
MOST_GROWTH_MB = 256
SLOW_S = 280


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Judge]:
    made = Judge(monkeypatch)
    yield made
    made.close()


def reply(value: Value, *arrays: np.ndarray, id_: int = ID) -> bytes:
    return b"".join(encode_message(Returned(id=id_, value=value), list(arrays)))


# --- many -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2_000, pytest.param(20_000, marks=pytest.mark.ci)])
def test_security_hostile_frames_are_values_or_clear_errors_in_bounded_memory(count):
    done = subprocess.run(
        [sys.executable, "-m", "tests.box.fuzz_frames", str(count)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=SLOW_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    told = json.loads(done.stdout)
    assert told["frames"] == sum(told["outcomes"].values()) >= count
    assert set(told["outcomes"]) == OUTCOMES
    assert told["outcomes"]["value"] > count / 20  # not everything stops at the door
    assert 0 < told["peak_growth_mb"] < MOST_GROWTH_MB  # hypothesis alone remembers more than nothing
    assert (told["descriptors"], told["threads"]) <= (8, 4)


def _scalar_of_any_length(node: protocol.ScalarNode) -> object:
    return np.frombuffer(node.raw, dtype=node.dtype)[0]


def _as_array_at_once(value: object, *, what: str, **_: object) -> object:
    return np.asarray(value).astype(np.float64)


HOLES: dict[str, tuple[object, str, object]] = {
    "scalar": (values, "_scalar", _scalar_of_any_length),
    "bigint": (values, "_bigint", lambda digits: int(digits, 16)),
    "dtypes": (protocol, "DTYPES", type("All", (), {"__contains__": lambda self, dtype: True})()),
    "protocol error": (protocol.ArrayReader, "finish", lambda self: 1 // (self._at == self._payload.nbytes)),
    "decoding": (client, "decode_reply", protocol._reply_decoder.decode),
    "verdict": (verdict, "hint_for", lambda raised: raised.frames[raised.column].source),
    "as_array": (expectations, "_plain_array", lambda value: np.asarray(value, dtype=float)),
}  # fmt: skip


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_would_be_found(monkeypatch, judge, hole):
    monkeypatch.setattr(*HOLES[hole])
    with pytest.raises(Exception) as found:  # noqa: PT011 - whatever it is, it is none of the outcomes
        run(judge, Counter(), 4000, number=1)
    assert any("an answer to" in note for note in found.value.__notes__)


# --- one by one -------------------------------------------------------------------------------------------------------


def test_an_honest_answer_is_a_value(judge):
    assert judge.asked("get", reply(ListNode(["a", ArrayNode("<f4", [2])]), np.ones(2, "f4")))[0] == "a"
    assert judge.asked("put", reply(Handle(3, GENERATION, "Model", callable=False)))


def dies(judge: Judge, question: str, frame: bytes, *, stays_open: bool = False) -> Cause:
    with pytest.raises(BoxDied) as caught:
        judge.asked(question, frame, stays_open=stays_open)
    return caught.value.cause


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (PREFIX.pack((4 << 20) + 1, 0), "beyond the limit"),
        (PREFIX.pack(3, (1 << 30) + 1), "beyond the limit"),
        (PREFIX.pack((1 << 32) - 1, (1 << 64) - 1), "beyond the limit"),
        (PREFIX.pack(0, 0), "not a message"),
        (reply(1, id_=ID + 1), "an answer to no question"),
        (reply(Handle(1, GENERATION + 1, "Model", callable=True)), "another box"),
        (reply(protocol.Path("fit")), "another box"),
        (reply(ArrayNode("|O", [1]), np.zeros(8, "u1")), "dtype"),
        (reply(ArrayNode("|u1", [1 << 31, 0])), "impossible"),
        (reply(1, np.zeros(8, "u1")), "left over"),
        (b"".join(encode_message(protocol.Synced(id=ID), [])), "of another kind"),
    ],
)
def test_security_a_hostile_frame_is_refused_by_name(judge, frame, problem):
    cause = dies(judge, "get", frame)
    assert (cause.status, cause.kind) == (Status.CRASHED, "protocol")
    assert problem in cause.detail


@pytest.mark.parametrize("lengths", [(4 << 20, 0), (20, 1 << 30)])
def test_security_lengths_at_the_caps_without_the_bytes_end_at_the_deadline(judge, lengths):
    assert dies(judge, "get", PREFIX.pack(*lengths) + bytes(20), stays_open=True) == Cause(
        Status.TIMEOUT, "wall", f"{SOON_S:g}"
    )


def test_security_a_flood_behind_a_valid_answer_is_no_answer_to_the_next_question(judge):
    box = judge.fresh_box()
    box._ids = iter((2, 3))
    box.hostile.theirs.sendall(LOADED + reply("first", id_=2) + reply("forged", id_=2) * 50)
    ask = judge.boxes._ask
    question = lambda number: protocol.Get(id=number, target=protocol.Path("fit"))  # noqa: E731
    assert ask(box, question) == "first"
    with pytest.raises(BoxDied, match="an answer to no question"):
        ask(box, question)


def test_security_answers_that_come_before_the_question_are_none(judge):
    box = judge.fresh_box()
    box._ids = iter((2, 3))
    box.hostile.theirs.sendall(LOADED + reply("for the next", id_=3) + reply("for this", id_=2))
    with pytest.raises(BoxDied, match="an answer to no question"):
        judge.boxes._ask(box, lambda number: protocol.Get(id=number, target=protocol.Path("fit")))


def test_security_a_frame_that_drips_ends_at_its_deadline(judge):
    box = judge.fresh_box()
    box.hostile.theirs.sendall(LOADED)
    box.loaded()
    stop = threading.Event()

    def drip() -> None:
        for byte in reply("x" * 100_000):
            if stop.wait(0.005):
                return
            box.hostile.theirs.sendall(bytes([byte]))

    dripping = threading.Thread(target=drip)
    dripping.start()
    judge._deadline_s = 0.2
    try:
        with pytest.raises(BoxDied) as caught:
            judge.boxes._ask(box, lambda number: protocol.Get(id=number, target=protocol.Path("fit")))
    finally:
        stop.set()
        dripping.join()
    assert caught.value.cause.status is Status.TIMEOUT


def test_security_handles_without_end_are_not_all_remembered(judge):
    box = judge._loaded_box()
    judge.asked("get", reply(ListNode([Handle(number, GENERATION, "T", callable=False) for number in range(1000)])))
    assert len(box._forgotten) == 1000
    for number in range(200_000):
        box.forget(number)
    assert len(box._forgotten) == client._FORGOTTEN_MOST


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: reply(ArrayNode("|u1", [1 << 26, 0])), "protocol error"),
        (lambda: reply(ArrayNode("|u1", [0, 1 << 15, 1 << 15])), "protocol error"),
        (lambda: reply(ListNode([ListNode([ArrayNode("|b1", [0])] * 200)] * 100)), "value"),
        (lambda: reply(protocol.DictNode([*range(30)], [ArrayNode("<f8", [900])] * 30), np.ones(27_000)), "value"),
        (lambda: reply(protocol.BigInt("f" * 4000)), "value"),
        (lambda: reply("x" * 100_000), "value"),
    ],
    ids=["rows of nothing", "no rows", "many empty", "dict of arrays", "digits", "text"],
)
def test_security_what_is_made_of_a_value_is_as_small_as_it_came(judge, make: Callable[[], bytes], word):
    began = time.process_time()
    assert outcome(judge, "get", make()) == word
    assert time.process_time() - began < 10.0  # each took minutes, or gigabytes, before it was bounded
