"""Which box a request goes to. Each test starts a real box or two (a third of a second each)."""

from __future__ import annotations

import numpy as np
import psutil
import pytest

from autograder.assignment import Entry
from autograder.box.causes import BoxDied
from autograder.box.client import StudentRaised
from autograder.box.protocol import Unsendable
from autograder.box.spec import BoxSpec
from autograder.judge.boxes import Boxes
from autograder.judge.calls import CheckMistake
from autograder.judge.listener import Listener
from autograder.judge.proxy import Submission, boxed, fresh, moved, new_folder, unboxed
from autograder.limits import Limits
from autograder.results import Status

SOURCE = """
import os, random
print("imported")
calls = []

class Model:
    def __init__(self, value=0):
        self.value = value

    def double(self):
        return 2 * self.value

def fit(x, seed=0):
    calls.append(seed)
    return Model(x)

def fit_number(x, seed=0):
    calls.append(seed)
    return x

def fit_or_fail(x):
    calls.append(x)
    raise ValueError(x)

def fit_forever():
    print("once more")
    while True: pass

def count(): return len(calls)
def predict(model): return model.double()
def same(one, two): return one is two
def draw(): return random.random()
def draw_seeded(seed): return seed, random.random()
def say(words): print(words)
def end(): os._exit(3)
def fill(values): values.append(len(values)); return None
def pid(): return os.getpid()

def save(model, folder):
    os.makedirs(f"{folder}/part")
    with open(f"{folder}/part/value.txt", "w") as file:
        file.write(str(model.value))
    open(f"{folder}/empty", "w").close()
    os.symlink("/etc/passwd", f"{folder}/link")

def load(folder):
    with open(f"{folder}/part/value.txt") as file:
        return [Model(int(file.read()))]

def double_first(models): return models[0].double()
def listed(folder): return sorted(os.listdir(folder))
def many(folder):
    for number in range(1001):
        open(f"{folder}/{number}", "w").close()
"""


class Ear(Listener):
    def __init__(self):
        self.called = []

    def calling(self, name, seed):
        self.called.append((name, seed))


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def make(ear):
    made = []

    def make(source=SOURCE, **limits):
        spec = BoxSpec({"m.py": source.encode()}, "m.py", (), limits=Limits(**{"import_s": 30, "call_s": 30} | limits))
        trainings = ("fit", "fit_number", "fit_or_fail", "fit_forever")
        entry = Entry(file="m.py", names=("fit",), trainings=trainings, keeps=("load",))
        made.append(Boxes(spec, entry, ear))
        return made[-1]

    yield make
    for boxes in made:
        boxes.close()


@pytest.fixture
def boxes(make):
    return make()


@pytest.fixture
def student(boxes):
    return Submission(boxes)


def begin(boxes, *, hidden=False, hidden_left=0):
    boxes.begin_check(hidden=hidden, hidden_left=hidden_left)


def cause(caught):
    return caught.value.cause


# --- public checks --------------------------------------------------------------------------------------------------


def test_public_checks_share_a_box_and_equal_trainings(boxes, student):
    begin(boxes)
    model = student.fit(np.arange(3.0), seed=1)
    assert student.predict(model).tolist() == [0, 2, 4]
    boxes.end_check()
    begin(boxes)
    again = student.fit(np.arange(3.0), seed=1)
    assert student.same(model, again) is True
    assert student.count() == 1
    student.fit(np.arange(3.0), seed=2)
    student.fit(np.arange(4.0), seed=1)
    student.fit(np.arange(3), seed=1)  # another dtype is another call
    assert student.count() == 4


def test_only_trainings_are_remembered(boxes, student):
    begin(boxes)
    assert student.count() == 0
    student.fit(1)
    assert student.count() == 1


def test_fresh_really_trains_again(boxes, student):
    begin(boxes)
    first, second = student.fit(5), fresh(student.fit)(5)
    assert student.same(first, second) is False
    assert student.count() == 2
    assert student.same(student.fit(5), first) is True


def test_objects_and_their_attributes(boxes, student):
    begin(boxes)
    model = student.Model(4)
    assert (model.value, model.double(), student.Model.double(model)) == (4, 8, 8)
    model.value = np.ones(2)
    assert model.double().tolist() == [2, 2]


def test_a_boxed_value_shows_what_was_done_to_it(boxes, student):
    begin(boxes)
    values = boxed(student, [7])
    student.fill(values)
    student.fill(values)
    assert unboxed(values) == [7, 1, 2]


def test_every_call_begins_with_the_same_seed(boxes, student):
    begin(boxes)
    assert student.draw() == student.draw()
    assert student.draw_seeded(seed=0) == (0, student.draw())
    assert student.draw_seeded(seed=3) == student.draw_seeded(seed=3) != student.draw_seeded(seed=4)
    assert student.draw(seed=3) == student.draw_seeded(seed=3)[1]  # given to those functions only that take it


def test_what_is_printed_belongs_to_the_check_that_ran(boxes, student):
    begin(boxes)
    student.say("first")
    assert boxes.end_check().printed == "imported\nfirst\n"
    begin(boxes)
    student.say("second")
    student.say("third")
    assert boxes.end_check().printed == "second\nthird\n"
    begin(boxes)
    assert boxes.end_check().printed == ""


# --- a box that dies ------------------------------------------------------------------------------------------------


def test_a_dead_box_is_replaced_and_its_objects_are_gone(boxes, student):
    begin(boxes)
    model = student.Model(4)
    first = student.pid()
    with pytest.raises(BoxDied) as caught:
        student.end()
    assert cause(caught)[:3] == (Status.CRASHED, "exit", "3")
    boxes.end_check()
    begin(boxes)
    assert student.pid() != first
    with pytest.raises(BoxDied) as caught:
        student.predict(model)
    assert cause(caught).kind == "exit"
    with pytest.raises(BoxDied):
        model.value  # noqa: B018
    assert student.Model(4).double() == 8


def test_after_a_restart_a_training_is_run_again_once(boxes, student, ear):
    for _ in range(4):
        begin(boxes)
        try:
            student.predict(student.fit(3))
            with pytest.raises(BoxDied):
                student.end()
        except BoxDied:
            pass
        boxes.end_check()
    assert [name for name, _ in ear.called].count("fit") == 2


def test_what_a_training_makes_stays_in_its_box_whatever_it_is(boxes, student):
    begin(boxes)
    number = student.fit_number(3)
    assert unboxed(number) == 3
    assert student.same(number, student.fit_number(3)) is True
    assert student.predict(student.fit([1, 2])) == [1, 2, 1, 2]


def test_a_timeout_is_suffered_once_and_replayed(make, ear):
    boxes = make(training_s=1)
    student = Submission(boxes)
    for _ in range(3):
        begin(boxes)
        with pytest.raises(BoxDied) as caught:
            student.fit_forever()
        assert (cause(caught).status, cause(caught).kind, cause(caught).detail) == (Status.TIMEOUT, "training", "1")
        boxes.end_check()
    assert len(ear.called) == 1
    begin(boxes)
    assert student.count() == 0  # another function is none the worse


def test_an_exception_of_a_training_is_replayed(boxes, student, ear):
    for _ in range(3):
        begin(boxes)
        with pytest.raises(StudentRaised, match="ValueError: 5"):
            student.fit_or_fail(5)
    with pytest.raises(StudentRaised, match="ValueError: 6"):
        student.fit_or_fail(6)
    assert len(ear.called) == 2


def test_the_whole_attempt_has_a_time_of_its_own(make):
    boxes = make(attempt_s=0.001)
    begin(boxes)
    with pytest.raises(BoxDied) as caught:
        Submission(boxes).count()
    assert (cause(caught).status, cause(caught).kind) == (Status.TIMEOUT, "attempt")


def test_security_an_attempt_whose_time_is_over_waits_for_no_import(make):
    boxes = make("import time; time.sleep(600)", attempt_s=0.001, import_s=1)
    for hidden in (False, True):
        begin(boxes, hidden=hidden)
        with pytest.raises(BoxDied) as caught:
            Submission(boxes).count()
        assert cause(caught).kind == "attempt"  # and not import_wall
        boxes.end_check()


def test_an_import_that_failed_stands_for_every_box(make):
    boxes = make("import os\nopen(os.devnull)\nraise ValueError('at import')")
    for hidden in (False, True, True):
        begin(boxes, hidden=hidden, hidden_left=1)
        with pytest.raises(StudentRaised, match="ValueError: at import"):
            Submission(boxes).fit(1)
        boxes.end_check()
    assert boxes.try_load() is None
    assert boxes.loaded is None


# --- hidden checks --------------------------------------------------------------------------------------------------


def test_a_hidden_check_has_a_box_of_its_own(boxes, student):
    begin(boxes, hidden_left=2)
    public = student.pid()
    pids = [public]
    for left in (1, 0):
        begin(boxes, hidden=True, hidden_left=left)
        assert student.pid() == student.pid()
        pids.append(student.pid())
        boxes.end_check()
    assert len(set(pids)) == 3


def test_what_has_seen_one_hidden_checks_inputs_never_serves_another(boxes, student):
    begin(boxes, hidden=True, hidden_left=1)
    assert student.predict(student.fit("secret")) == "secretsecret"
    assert student.count() == 0  # the training had a box of its own, too
    trained = student.fit("secret")
    boxes.end_check()
    begin(boxes, hidden=True)
    assert student.count() == 0
    other = student.fit("other")
    assert student.predict(other) == "otherother"
    with pytest.raises(CheckMistake, match="two boxes"):
        student.same(trained, other)


def test_hidden_and_public_trainings_are_never_shared(boxes, student, ear):
    begin(boxes)
    public = student.fit(3)
    boxes.end_check()
    begin(boxes, hidden=True)
    hidden = student.fit(3)
    assert public is not hidden
    assert ear.called == [("fit", None), ("fit", None)]
    assert student.predict(student.fit(3)) == 6
    assert [name for name, _ in ear.called] == ["fit", "fit", "predict"]


def test_when_only_hidden_checks_run_the_first_box_is_used_for_one(boxes, student):
    begin(boxes, hidden=True)
    student.pid()
    assert len(boxes._open) == 1


def test_a_closed_hidden_box_answers_no_more(boxes, student):
    begin(boxes, hidden=True)
    model = student.Model(3)
    boxes.end_check()
    begin(boxes)
    with pytest.raises(BoxDied):
        model.double()


# --- mistakes of a check's author -----------------------------------------------------------------------------------


def test_what_cannot_be_sent_is_the_checks_mistake(boxes, student):
    begin(boxes)
    for value in (object(), {1, 2}, lambda: 0, np.array([None])):
        with pytest.raises(Unsendable):
            student.say(value)
    assert student.count() == 0  # and costs the box nothing


def test_objects_of_two_boxes_cannot_go_into_one_call(boxes, student):
    begin(boxes)
    one = student.Model(1)
    begin(boxes, hidden=True)
    with pytest.raises(CheckMistake):
        student.same(one, student.Model(2))


def test_a_function_of_the_module_goes_into_any_call(boxes, student):
    begin(boxes)
    double = student.Model.double
    assert student.same(student.fit, student.fit) is True
    assert double(student.Model(2)) == 4


# --- the end --------------------------------------------------------------------------------------------------------


def test_closing_leaves_no_process(make):
    boxes = make()
    begin(boxes, hidden_left=2)
    Submission(boxes).count()
    begin(boxes, hidden=True, hidden_left=1)
    Submission(boxes).fit(1)
    pids = [box._running.process.pid for box in boxes._open]
    assert len(pids) >= 3
    boxes.close()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    boxes.close()


# --- folders that go from box to box --------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [False, True])
def test_a_folder_is_copied_into_a_fresh_box(boxes, student, hidden):
    begin(boxes, hidden=hidden)
    model = student.fit(21)
    folder = new_folder(model)
    student.save(model, folder)
    elsewhere, copy = moved(model, folder)
    loaded = elsewhere.load(copy)  # a list, which without `keeps` would come back as one
    assert elsewhere.double_first(loaded) == 42
    assert elsewhere.listed(copy) == ["empty", "part"]  # a link could lead anywhere
    assert elsewhere.count() == 0
    assert elsewhere.pid() not in {student.pid(), fresh(student.pid)()}


def test_what_a_fresh_box_holds_can_be_told_from_the_first_ones(boxes, student):
    begin(boxes)
    model = student.fit(1)
    elsewhere, copy = moved(model, new_folder(model))
    with pytest.raises(CheckMistake):
        elsewhere.predict(model)
    assert elsewhere.listed(copy) == []


def test_a_training_in_a_fresh_box_is_not_remembered(boxes, student):
    begin(boxes)
    model = student.fit(1)
    elsewhere, _ = moved(model, new_folder(model))
    assert elsewhere.predict(elsewhere.fit(1)) == 2
    assert elsewhere.count() == 1
    assert student.count() == 1


def test_a_fresh_box_ends_with_its_check(boxes, student):
    begin(boxes)
    model = student.fit(1)
    elsewhere, _ = moved(model, new_folder(model))
    process = psutil.Process(elsewhere.pid())
    boxes.end_check()
    assert not process.is_running()
    begin(boxes)
    assert student.predict(model) == 2


def test_a_folder_of_too_many_files_is_the_students_failure(boxes, student):
    begin(boxes)
    model = student.fit(1)
    folder = new_folder(model)
    student.many(folder)
    with pytest.raises(StudentRaised) as caught:
        moved(model, folder)
    assert caught.value.raised.unsendable
    assert "1,001 files" in caught.value.raised.text


def test_a_folder_that_is_gone_has_no_files(boxes, student):
    begin(boxes)
    model = student.fit(1)
    elsewhere, copy = moved(model, "/nowhere")
    assert elsewhere.listed(copy) == []


@pytest.mark.parametrize(
    "files",
    [
        {"../out": b""},
        {"/etc/x": b""},
        {"a/../../x": b""},
        {"..\\..\\evil.py": b""},
        {"C:\\x": b""},
        {"C:x": b""},
        {"a\0b": b""},
        {"a": 1},
        {1: b""},
        [],
        {"a": "float"},
    ],
)
def test_security_a_folder_with_impossible_files_ends_the_box(boxes, student, monkeypatch, files):
    begin(boxes)
    model = student.fit(1)
    array = {b"": np.zeros(1, np.uint8), "float": np.zeros(1)}
    forged = {name: array.get(value, value) for name, value in files.items()} if isinstance(files, dict) else files
    monkeypatch.setattr(boxes, "_ask", lambda *_: forged)
    monkeypatch.setattr(boxes, "_write_folder", lambda *_: pytest.fail("they were passed on"))
    with pytest.raises(BoxDied) as caught:
        moved(model, "folder")
    assert cause(caught).kind == "protocol"
