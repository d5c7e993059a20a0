"""Which box a request goes to, and what is remembered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograder.assignment import Entry
from autograder.box.causes import BoxDied, Cause
from autograder.box.client import StudentRaised
from autograder.box.grant import Grant
from autograder.box.nvml import Gpu
from autograder.box.protocol import Call
from autograder.box.spec import BoxSpec
from autograder.judge import boxed, boxes, fresh, unboxed
from autograder.judge.calls import CheckMistake
from autograder.judge.listener import Listener
from autograder.judge.proxy import RemoteObject, core_of
from autograder.results import Status

if TYPE_CHECKING:
    from tests.box.conftest import Attempt, Begin

# --- trainings are remembered ---------------------------------------------------------------------------------------


def test_equal_arguments_train_once(attempt: Attempt):
    x = np.arange(3.0)
    first = attempt.check().fit(x, seed=1)
    assert attempt.check().fit(x.copy(), seed=1) is first
    assert attempt.called == ["fit"]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (([1.0, 3.0],), {"seed": 1}),
        (([1.0, 2.0],), {"seed": 2}),
        (([1.0, 2.0],), {}),
        (([1, 2],), {"seed": 1}),
        ((np.array([1.0, 2.0]),), {"seed": 1}),
        (([1.0, 2.0],), {"seed": 1, "rate": 0.5}),
        (([1.0, True],), {"seed": 1}),
    ],
)
def test_other_arguments_train_again(attempt: Attempt, args, kwargs):
    attempt.check().fit([1.0, 2.0], seed=1)
    attempt.check().fit(*args, **kwargs)
    assert attempt.called == ["fit", "fit"]


def test_only_trainings_are_remembered(attempt: Attempt):
    for _ in range(2):
        attempt.check().one()
    assert attempt.called == ["one", "one"]


def test_fresh_trains_again_and_leaves_the_memory_alone(attempt: Attempt):
    remembered = attempt.submission.fit([1.0])
    assert fresh(attempt.submission.fit)([1.0]) is not remembered
    assert attempt.submission.fit([1.0]) is remembered
    assert attempt.called == ["fit", "fit"]


def test_the_order_of_keyword_arguments_does_not_matter(attempt: Attempt):
    attempt.submission.fit([1.0], seed=1, rate=0.1)
    attempt.submission.fit([1.0], rate=0.1, seed=1)
    assert attempt.called == ["fit"]


def test_what_a_training_makes_stays_in_its_box_whatever_it_is(attempt: Attempt):
    made = attempt.check().fit_weights([1.0])
    assert isinstance(made, RemoteObject)
    unboxed(made)[0][0] = 99  # a copy: what one check does to it, the next does not see
    weights, seed = unboxed(attempt.check().fit_weights([1.0]))
    assert (weights.tolist(), seed) == ([2.0], 0)
    assert attempt.called == ["fit_weights"]


def test_an_exception_of_a_training_is_replayed(attempt: Attempt):
    for _ in range(2):
        with pytest.raises(StudentRaised, match="bad"):
            attempt.check().fit_badly(1)
    assert attempt.called == ["fit_badly"]


@pytest.mark.parametrize(
    ("name", "training_s", "cause"),
    [
        ("fit_for_ever", 0.7, Cause(Status.TIMEOUT, "training", "0.7")),
        ("fit_and_leave", 60, Cause(Status.CRASHED, "exit", "3")),
    ],
)
def test_a_training_that_ended_its_box_is_replayed_and_not_suffered_again(begin: Begin, name, training_s, cause):
    attempt = begin(training_s=training_s)
    for _ in range(3):
        submission = attempt.check()
        assert submission.one() == 1
        with pytest.raises(BoxDied) as caught:
            getattr(submission, name)(1)
        assert caught.value.cause == cause
    assert attempt.called.count(name) == 1


# --- boxes that die -------------------------------------------------------------------------------------------------


def leave(submission: Any) -> None:
    with pytest.raises(BoxDied) as caught:
        submission.leave()
    assert caught.value.cause == Cause(Status.CRASHED, "exit", "3")


def test_a_box_that_died_is_replaced_for_the_next_check(attempt: Attempt):
    first = attempt.submission.box()
    leave(attempt.submission)
    assert attempt.check().one() == 1
    assert attempt.submission.box() != first


def test_security_handles_of_a_box_that_died_raise_and_never_mean_another_object(attempt: Attempt):
    model = attempt.submission.Model([1], 1)
    append = boxed(attempt.submission, [])
    step = attempt.submission.step
    leave(attempt.submission)
    submission = attempt.check()
    other = submission.Model([2], 2)  # may well have the same number in its box
    assert core_of(other).handle.generation != core_of(model).handle.generation
    for use in (
        lambda: model.seed,
        lambda: model.predict(1),
        lambda: unboxed(append),
        lambda: setattr(model, "seed", 3),
    ):
        with pytest.raises(BoxDied) as caught:
            use()
        assert caught.value.cause == Cause(Status.CRASHED, "exit", "3")
    with pytest.raises((BoxDied, CheckMistake)):
        submission.predict(model, 1)
    assert other.seed == 2
    assert step(3) == 1  # an attribute of the module is found in any box


def test_objects_of_two_boxes_do_not_go_into_one_call(attempt: Attempt):
    model = attempt.submission.Model([1], 1)
    leave(attempt.submission)
    with pytest.raises(CheckMistake):
        attempt.check().predict(attempt.submission.Model([2], 2), model)


def test_security_an_object_of_one_box_is_never_taken_for_another_boxs(attempt: Attempt):
    submission = attempt.check(hidden=True)
    trained, own = submission.fit([1.0]), submission.Model([2], 2)
    with pytest.raises(CheckMistake, match="another box"):
        own.seed = trained
    with pytest.raises(CheckMistake, match="another box"):
        submission.say({trained: 1, own: 2})


def test_a_model_that_died_with_its_box_is_trained_again_once(attempt: Attempt):
    for trained in (1, 2):
        assert attempt.check().fit([1.0]).seed == 0
        assert attempt.called.count("fit") == trained
        leave(attempt.submission)
    with pytest.raises(BoxDied) as caught:
        attempt.check().fit([1.0])
    assert caught.value.cause == Cause(Status.CRASHED, "exit", "3")
    assert attempt.called.count("fit") == 2


FAILING = pytest.mark.parametrize(
    ("source", "failure"), [(b"1 / 0", StudentRaised), (b"import os\nos._exit(3)", BoxDied)], ids=["raises", "dies"]
)


@FAILING
def test_an_import_that_failed_is_not_waited_for_again(begin: Begin, source, failure):
    attempt = begin(source)
    assert attempt.boxes.try_load() is None
    for hidden in (False, True):
        with pytest.raises(failure):
            attempt.check(hidden=hidden, hidden_left=1).one()
    assert attempt.asked == []
    assert attempt.loadings == 1


def test_an_import_that_never_ends_is_waited_for_once(begin: Begin):
    attempt = begin(b"while True: pass", import_s=2)
    for hidden in (False, True, True):
        with pytest.raises(BoxDied) as caught:
            attempt.check(hidden=hidden, hidden_left=1).one()
        assert caught.value.cause == Cause(Status.TIMEOUT, "import_wall", "2")
    assert attempt.loadings == 1


@FAILING
def test_an_import_that_failed_is_not_run_again(begin: Begin, source, failure):
    attempt = begin(source)
    assert attempt.boxes.try_load() is None
    for hidden in (False, True):
        with pytest.raises(failure):
            attempt.check(hidden=hidden).one()
    assert len(attempt.clients) == 1


def test_the_time_of_the_whole_attempt_is_limited(attempt: Attempt):
    assert attempt.submission.one() == 1
    attempt.boxes._ends = time.monotonic() - 1
    with pytest.raises(BoxDied) as caught:
        attempt.check().one()
    assert caught.value.cause == Cause(Status.TIMEOUT, "attempt", "900")


# --- hidden checks --------------------------------------------------------------------------------------------------


def test_public_checks_share_a_box(attempt: Attempt):
    assert attempt.check().box() == attempt.check().box()
    assert len(attempt.clients) == 1


def test_security_each_hidden_check_has_a_box_of_its_own_that_ends_with_it(attempt: Attempt):
    public = attempt.check().box()
    hidden = [attempt.check(hidden=True, hidden_left=left).box() for left in (1, 0)]
    assert len({public, *hidden}) == 3
    assert attempt.check().box() == public
    assert [client.alive for client in attempt.clients] == [True, False, False]


def test_security_a_hidden_training_has_a_box_that_serves_nothing_else(attempt: Attempt):
    submission = attempt.check(hidden=True, hidden_left=1)
    submission.one()
    model = submission.fit([1.0], seed=1)
    other = submission.fit([2.0], seed=1)
    submission.predict(model, 1)
    submission.one()
    attempt.check(hidden=True).one()
    trained, trained_other = attempt.calls("fit")
    served = {box: [request for at, request in attempt.asked if at == box] for box in (trained, trained_other)}
    assert len({trained, trained_other, *attempt.calls("one")}) == 4
    assert [type(request) for request in served[trained_other]] == [Call]
    assert [type(request) for request in served[trained]] == [Call, Call]
    assert attempt.calls("predict") == [trained]
    assert core_of(other).box.generation == trained_other


def test_a_hidden_check_that_only_trains_needs_no_box_beside_the_trainings(attempt: Attempt):
    attempt.check().predict(attempt.submission.fit([1.0]), 1)
    submission = attempt.check(hidden=True)
    submission.predict(submission.fit([1.0]), 1)
    assert len(attempt.clients) == 2
    assert attempt.calls("fit") == attempt.calls("predict") == [client.generation for client in attempt.clients]


def test_security_what_a_hidden_check_does_with_the_modules_functions_stays_in_its_box(attempt: Attempt):
    assert attempt.check().one() == 1
    submission = attempt.check(hidden=True)
    submission.one.secret = "hidden"
    assert submission.one.secret == "hidden"
    with pytest.raises(StudentRaised) as caught:
        _ = attempt.check().one.secret
    assert caught.value.raised.missing == "secret"


def test_security_hidden_and_public_trainings_never_share(attempt: Attempt):
    x = [1.0, 2.0]
    public = attempt.check().fit(x)
    hidden = attempt.check(hidden=True).fit(x)
    assert attempt.check(hidden=True).fit(x) is hidden
    assert attempt.check().fit(x) is public
    assert len(set(attempt.calls("fit"))) == 2
    assert core_of(public).box is not core_of(hidden).box


def test_security_fresh_hidden_trainings_have_boxes_of_their_own(attempt: Attempt):
    submission = attempt.check(hidden=True)
    for _ in range(2):
        fresh(submission.fit)([1.0])
    assert len(set(attempt.calls("fit"))) == 2


def test_a_box_starts_ahead_of_a_hidden_check(attempt: Attempt):
    attempt.submission.one()
    attempt.check(hidden_left=1)
    assert len(attempt.clients) == 2
    attempt.check(hidden=True).one()
    assert attempt.calls("one")[-1] == attempt.clients[1].generation
    assert len(attempt.clients) == 2


@pytest.mark.parametrize(
    ("frameworks", "isolation", "gpus", "ahead"),
    [
        ((), "process", (), 2),
        (("torch",), "namespaces", (), 1),
        (("torch",), "restricted", (), 1),
        (("torch",), "bwrap", (), 0),
        (("torch",), "process", (), 0),
        (("torch",), "namespaces", (Gpu("GPU-1", 0, "H100", 80 << 30),), 0),
    ],
)
def test_what_a_box_costs_decides_whether_one_starts_while_public_checks_run(
    monkeypatch, frameworks, isolation, gpus, ahead
):
    started = []
    monkeypatch.setattr(boxes, "BoxClient", started.append)
    spec = BoxSpec({}, "m.py", frameworks, isolation=isolation, grant=Grant(gpus))
    made = boxes.Boxes(spec, Entry(file="m.py", names=("fit",)), Listener())
    made.begin_check(hidden=False, hidden_left=9)
    assert len(started) == 1 + ahead


def test_where_only_hidden_checks_are_run_the_first_box_is_used(begin: Begin):
    attempt = begin()
    attempt.check(hidden=True).one()
    assert len(attempt.clients) == 1
