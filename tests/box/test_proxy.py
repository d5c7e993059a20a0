"""What a check holds of the student's module, and what of the box's answers it never gets to see."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pytest

from autograder.box.causes import BoxDied
from autograder.box.client import Answer
from autograder.box.protocol import ArrayNode, ArrayReader, Handle, ListNode, Path, Unsendable
from autograder.judge import boxed, unboxed
from autograder.judge.proxy import RemoteObject, core_of
from autograder.results import Status

if TYPE_CHECKING:
    from tests.box.conftest import Attempt

# --- what a check holds ---------------------------------------------------------------------------------------------


def test_values_objects_and_functions_are_used_by_their_names(attempt: Attempt):
    model = attempt.submission.Model([1, 2], 7)
    assert model.seed == 7
    model.seed = 8
    assert (model.seed, model.predict(1).tolist()) == (8, [3, 5])
    assert attempt.submission.predict(model, 2).tolist() == [4, 6]
    assert repr(model) == "<Model in the box>"
    assert repr(attempt.submission.step) == "<step in the box>"


def test_security_probing_a_proxy_asks_the_box_nothing(attempt: Attempt):
    model = attempt.submission.Model([1], 0)
    asked = len(attempt.asked)
    assert np.asarray(model).dtype == object
    assert (model == 1, bool(model), model != model) == (False, True, False)  # noqa: PLR0124
    assert not hasattr(model, "__array__")
    assert not hasattr(attempt.submission, "__wrapped__")
    assert repr(attempt.submission) == "<the submission>"
    for probe in (len, iter, float):
        with pytest.raises((TypeError, AttributeError)):
            probe(model)
    assert len(attempt.asked) == asked


def test_a_proxy_can_not_be_copied(attempt: Attempt):
    with pytest.raises((TypeError, AttributeError)):
        copy.copy(attempt.submission.Model([1], 0))


def test_a_check_can_not_change_the_module_that_others_use(attempt: Attempt):
    with pytest.raises(AttributeError, match="share the student's module"):
        attempt.submission.step = 1


def test_a_boxed_value_shows_what_was_done_to_it(attempt: Attempt):
    items = boxed(attempt.submission, [5])
    attempt.submission.append(items)
    assert unboxed(items) == [5, 1]


def test_what_has_no_plain_form_is_not_sent(attempt: Attempt):
    with pytest.raises(Unsendable, match="can't send set objects"):
        attempt.submission.say({1})


def test_a_function_in_a_list_of_the_modules_is_that_function(attempt: Attempt):
    assert attempt.submission.ACTIVATIONS[0](5) == 1


def test_a_seed_that_is_a_numpy_int_seeds_the_generators(attempt: Attempt):
    assert attempt.submission.draw(seed=np.int64(3)) == attempt.submission.draw(seed=3)


# --- output ---------------------------------------------------------------------------------------------------------


def test_what_was_printed_belongs_to_the_check_that_called(attempt: Attempt):
    attempt.submission.say("first")
    assert attempt.boxes.end_check().printed == "first\n"
    attempt.boxes.begin_check(hidden=True, hidden_left=0)
    attempt.submission.say("second")
    assert attempt.boxes.end_check().printed == "second\n"
    attempt.boxes.begin_check(hidden=False, hidden_left=0)
    assert attempt.boxes.end_check().printed == ""


# --- forged answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        Handle(1, 10**6, "Model", True),
        ListNode([Handle(1, 0, "Model", False)]),
        Path("step"),
        ArrayNode("<f8", [2]),
        1,
    ],
    ids=["another-box", "no-box", "path", "too-long", "bytes-left-over"],
)
def test_security_an_impossible_answer_ends_the_box(attempt: Attempt, value):
    attempt.forged = Answer(value, ArrayReader(np.zeros(8, np.uint8)))
    with pytest.raises(BoxDied) as caught:
        attempt.submission.one()
    assert (caught.value.cause.status, caught.value.cause.kind) == (Status.CRASHED, "protocol")
    assert not attempt.clients[0].alive
    attempt.forged = None
    assert attempt.check().one() == 1


def test_no_handle_for_a_boxed_value_is_a_forgery(attempt: Attempt):
    attempt.forged = Answer(5, ArrayReader(np.zeros(0, np.uint8)))
    with pytest.raises(BoxDied) as caught:
        boxed(attempt.submission, [1])
    assert caught.value.cause.kind == "protocol"


def test_what_the_judge_drops_is_released_in_the_box(attempt: Attempt):
    core = core_of(attempt.submission.Model([1], 0))
    number, client = core.handle.number, core.box
    del core
    assert number in client._forgotten


def test_proxies_are_remote_objects(attempt: Attempt):
    assert isinstance(attempt.submission.step, RemoteObject)
