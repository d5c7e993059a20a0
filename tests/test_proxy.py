from __future__ import annotations

import gc

import numpy as np
import pytest

from autograder.box.protocol import Handle, Path
from autograder.judge.proxy import Core, RemoteObject, Submission, boxed, core_of, fresh, remotes_in, type_name, unboxed


class Boxes:
    """Notes what it is asked, and answers with a word."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        def ask(*arguments, **keywords):
            self.asked.append((name, arguments, keywords))
            return f"answer to {name}"

        return ask


class Box:
    def __init__(self):
        self.forgotten = []

    def forget(self, number):
        self.forgotten.append(number)


@pytest.fixture
def boxes():
    return Boxes()


@pytest.fixture
def box():
    return Box()


@pytest.fixture
def remote(boxes, box):
    return RemoteObject(Core(boxes, box, Handle(7, 1, "Model", callable=True)))


def test_an_attribute_is_the_students_whatever_its_name(remote, boxes):
    for name in ("weights", "boxes", "core", "_core", "path", "handle", "_RemoteObject"):
        assert getattr(remote, name) == "answer to get"
        assert boxes.asked.pop() == ("get", (core_of(remote), name), {})


def test_calls_and_assignments_go_to_the_box(remote, boxes):
    assert remote(1, x=2) == "answer to call"
    remote.weights = [3]
    assert boxes.asked == [
        ("call", (core_of(remote), (1,), {"x": 2}), {}),
        ("set", (core_of(remote), "weights", [3]), {}),
    ]


PROBES = [
    repr, str, bool, hash, dir, type, lambda it: it == it, lambda it: it == 3, lambda it: it != 3,  # noqa: PLR0124
    lambda it: isinstance(it, dict), np.asarray, lambda it: np.array([it, it]), lambda it: it in [1, 2],
    lambda it: hasattr(it, "__array__"), lambda it: hasattr(it, "__iter__"), lambda it: hasattr(it, "__wrapped__"),
    lambda it: f"{it!r}",
]  # fmt: skip


@pytest.mark.parametrize("probe", PROBES)
def test_what_pytest_and_numpy_probe_stays_here(remote, boxes, probe):
    probe(remote)
    assert boxes.asked == []


REFUSED = [
    len, iter, float, int, list, lambda it: it[0], lambda it: it + 1, lambda it: it < 1, lambda it: 1 in it,
    lambda it: it.__iter__, lambda it: it.__array__, lambda it: it.__dict__, np.float64,
]  # fmt: skip


@pytest.mark.parametrize("use", REFUSED)
def test_what_would_make_a_value_of_it_is_an_error_here(remote, boxes, use):
    with pytest.raises((TypeError, AttributeError)):
        use(remote)
    assert boxes.asked == []


def test_the_name_of_the_class_is_what_the_box_tells(remote):
    assert type_name(remote) == "Model"
    assert repr(remote) == "<Model in the box>"


def test_security_the_name_of_a_class_can_not_act_on_a_terminal(boxes, box):
    remote = RemoteObject(Core(boxes, box, Handle(1, 1, "Model\x1b[2J\u202e" + "x" * 9999, callable=False)))
    assert repr(remote).isprintable()
    assert len(repr(remote)) < 400


def test_a_function_of_the_module_is_named_by_its_path(boxes, box):
    remote = RemoteObject(Core(boxes, box, Handle(1, 1, "function", callable=True), "fit"))
    assert repr(remote) == "<fit in the box>"
    assert core_of(remote).target == Path("fit")
    assert core_of(RemoteObject(Core(boxes, box, Handle(2, 1, "A", callable=False)))).target == Handle(
        2, 1, "A", callable=False
    )


def test_an_object_that_is_no_longer_used_is_given_back(boxes, box):
    remote = RemoteObject(Core(boxes, box, Handle(7, 1, "Model", callable=False)))
    again = remote
    del remote
    gc.collect()
    assert box.forgotten == []
    del again
    gc.collect()
    assert box.forgotten == [7]


def test_handles_are_found_in_lists_tuples_and_dicts(remote):
    core = core_of(remote)
    assert remotes_in(remote) == [core]
    assert remotes_in([1, (remote, {"a": [remote]}), "x"]) == [core, core]
    assert remotes_in({"a": 1, "b": np.zeros(3)}) == []


def test_fresh_asks_for_a_training_without_the_memo(remote, boxes):
    fresh(remote)(1, seed=2)
    assert boxes.asked == [("call", (core_of(remote), (1,), {"seed": 2}), {"memo": False})]


# --- the module -----------------------------------------------------------------------------------------------------


def test_submission_hands_on_every_name(boxes):
    submission = Submission(boxes)
    for name in ("fit", "boxes", "_hidden", "__private"):
        assert getattr(submission, name) == "answer to get_global"
        assert boxes.asked.pop() == ("get_global", (name, None), {})


def test_submission_cannot_be_changed_by_a_check(boxes):
    submission = Submission(boxes)
    with pytest.raises(AttributeError, match=r"submission\.fit"):
        submission.fit = 3
    assert boxes.asked == []


@pytest.mark.parametrize("probe", PROBES)
def test_submission_is_not_asked_for_dunders(boxes, probe):
    probe(Submission(boxes))
    assert boxes.asked == []
    with pytest.raises(AttributeError):
        Submission(boxes).__file__  # noqa: B018


def test_boxed_and_unboxed(boxes, remote):
    assert boxed(Submission(boxes), [1]) == "answer to put"
    assert unboxed(remote) == "answer to take"
    assert boxes.asked == [("put", ([1],), {}), ("take", (core_of(remote),), {})]
