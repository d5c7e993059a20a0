"""The worker answers: values both ways, objects that stay, seeds, output. One box serves the whole file."""

from __future__ import annotations

import functools
import inspect
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from autograder.box.client import StudentRaised
from autograder.box.protocol import Handle
from autograder.box.worker import _parameters_of

if TYPE_CHECKING:
    from tests.box.conftest import Driven, Opener

SOURCE = """
    import collections, gc, os, pickle, random, sys
    import numpy as np
    import sibling
    from folder.nested import DEEP

    PI = 3.25
    TABLE = {"b": 1, "a": [2, (3,)]}
    sine = np.sin
    alive = 0
    Point = collections.namedtuple("Point", "x y")

    class Perceptron:
        def __init__(self, size, activator, seed=None):
            self.weights = [0.0] * size
            self.activator = activator
            self.seed = seed

        def predict(self, x):
            return self.activator(sum(w * v for w, v in zip(self.weights, x)))

        @property
        def broken(self):
            return self.weights.shape

        def __call__(self, x):
            return ("called", x)

    class Counted:
        def __init__(self):
            global alive
            alive += 1

        def __del__(self):
            global alive
            alive -= 1

    def step(value): return 1 if value > 0 else 0
    def echo(value): return value
    def kind(value): return type(value).__name__
    def same(left, right): return left is right
    def nothing(): pass
    def add(a, b=10, *rest, **named): return [a, b, rest, named]
    def double(x):
        x *= 2
        return x
    def append(items): items.append(len(items))
    def objects(): return {"one": Perceptron(1, step), "many": [Perceptron(2, step), 3]}
    def draw(): return [random.random(), np.random.rand(), random.random()]
    def takes_seed(x, seed): return seed
    def takes_none(x): return x
    def takes_device(x, device): return device
    def takes_default_device(x, *, device="mine", seed=7): return [device, seed]
    def takes_all(**named): return named
    def counted(): return Counted()
    def living(): return alive
    def say(out, err=""):
        print(out)
        print(err, file=sys.stderr)
    def say_unended(text): sys.stdout.write(text)
    def say_below(text): os.write(1, text.encode())
    def say_surrogate(): print("\\ud800")
    def ask(): return input("? ")
    def about(): return [__name__, __file__, os.getcwd(), sys.argv]
    def unpickled(): return type(pickle.loads(pickle.dumps(Perceptron(1, step)))) is Perceptron
    def point(): return Point(1, 2)

    if __name__ == "__main__":
        raise SystemExit("not run as a program")
"""
FILES = {"sibling.py": "NAME = 'sibling'", "folder/__init__.py": "", "folder/nested.py": "DEEP = [1]"}


@pytest.fixture(scope="module")
def student(module_opener: Opener) -> Driven:
    """One box with the module above."""
    return module_opener(SOURCE, files=FILES, device="cpu", threads=3)


# --- the module -----------------------------------------------------------------------------------------------------


def test_loading_tells_the_names_and_where_it_runs(student: Driven):
    loaded = student.loaded()
    assert {"PI", "Perceptron", "step", "DEEP"} <= set(loaded.names)
    assert not {"np", "os", "sibling", "__name__"} & set(loaded.names)
    environment = loaded.environment
    assert (environment.numpy, environment.torch, environment.tensorflow) == (np.__version__, None, None)
    assert (environment.device, environment.threads) == ("cpu", 3)
    assert environment.python.startswith("3.")


def test_the_module_is_called_submission_and_runs_in_its_folder(student: Driven):
    name, file, folder, arguments = student.call("about")
    assert name == "submission"
    assert file == f"{folder}/answer.py"
    assert arguments == ["-c"]  # how the channel is reached is not told


def test_files_beside_it_and_below_can_be_imported(student: Driven):
    assert student.get("DEEP") == [1]
    assert student.get("sibling", "NAME") == "sibling"


def test_attributes_of_the_module_are_values_or_handles(student: Driven):
    assert student.get("PI") == 3.25
    assert list(student.get("TABLE").items()) == [("b", 1), ("a", [2, (3,)])]
    step = student.get("step")
    assert (step.type_name, step.callable, step.generation) == ("function", True, student.client.generation)


def test_its_classes_can_be_pickled_by_itself(student: Driven):
    assert student.call("unpickled") is True


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        1 << 100,
        0.1,
        math.inf,
        "感知机",
        b"\0\xff",
        1 + 2j,
        [],
        (),
        {},
        [1, (2.0, {"a": [None]})],
        {1: {(2, 3): b"x"}},
    ],
    ids=repr,
)
def test_values_go_in_and_come_out_with_their_types(student: Driven, value):
    came = student.call("echo", value)
    assert came == value
    assert type(came) is type(value)
    assert student.call("kind", value) == type(value).__name__


def test_nan_comes_out_as_nan(student: Driven):
    assert math.isnan(student.call("echo", math.nan))


@pytest.mark.parametrize("dtype", ["?", "u1", "f2", "f4", "f8", "i8", "c16", ">f4"])
def test_arrays_go_in_and_come_out(student: Driven, dtype):
    array = np.arange(24).reshape(2, 3, 4)[:, ::-1].astype(dtype)
    came = student.call("echo", array)
    assert came.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(came, array)


def test_the_student_computes_on_a_copy_of_the_checks_array(student: Driven):
    array = np.arange(3.0)
    doubled = student.call("double", array)
    assert array.tolist() == [0, 1, 2]
    doubled += 1  # what came out can be written to as well
    assert doubled.tolist() == [1, 3, 5]


def test_a_named_tuple_comes_out_as_a_tuple(student: Driven):
    assert student.call("point") == (1, 2)


def test_a_function_without_return_gives_none(student: Driven):
    assert student.call("nothing") is None


def test_arguments_arrive_by_position_and_by_name(student: Driven):
    assert student.call("add", 1) == [1, 10, (), {}]
    assert student.call("add", 1, 2, 3, c=4) == [1, 2, (3,), {"c": 4}]


# --- objects that stay ----------------------------------------------------------------------------------------------


@pytest.fixture
def model(student: Driven) -> Handle:
    """A perceptron in the box."""
    made = student.call("Perceptron", 2, student.get("step"))
    assert isinstance(made, Handle)
    return made


def test_an_object_is_made_and_its_methods_are_called(student: Driven, model: Handle):
    assert (model.type_name, model.callable) == ("Perceptron", True)
    assert student.call(student.get(model, "predict"), [1, 1]) == 0


def test_attributes_are_read_and_set(student: Driven, model: Handle):
    assert student.get(model, "weights") == [0.0, 0.0]
    student.set(model, "weights", [1.0, -2.0])
    assert student.get(model, "weights") == [1.0, -2.0]
    assert student.call(student.get(model, "predict"), [3, 1]) == 1


def test_an_object_that_can_be_called_is_called(student: Driven, model: Handle):
    assert student.call(model, 5) == ("called", 5)


def test_an_object_passed_back_is_the_object_itself(student: Driven, model: Handle):
    assert student.call("kind", model) == "Perceptron"
    assert student.call("same", model, model)
    assert student.call("same", student.get(model, "activator"), student.get("step"))
    assert student.call("echo", [model])[0].type_name == "Perceptron"


def test_objects_inside_containers_come_as_handles(student: Driven):
    came = student.call("objects")
    assert came["one"].type_name == "Perceptron"
    assert student.get(came["many"][0], "weights") == [0.0, 0.0]
    assert came["many"][1] == 3


def test_a_value_put_into_the_box_shows_what_was_done_to_it(student: Driven):
    boxed = student.put([5])
    student.call("append", boxed)
    student.call("append", boxed)
    assert student.take(boxed) == [5, 1, 2]


def test_an_array_put_into_the_box_shows_what_was_done_to_it(student: Driven):
    boxed = student.put(np.arange(3.0))
    assert student.take(boxed).tolist() == [0, 1, 2]
    student.call("double", boxed)
    assert student.take(boxed).tolist() == [0, 2, 4]


def test_what_is_forgotten_is_released(student: Driven):
    for made in [student.call("counted") for _ in range(300)]:
        student.client.forget(made.number)
    student.client.forget(10**9)  # unknown: nothing happens
    assert student.call("living") == 0


# --- seeds and devices ----------------------------------------------------------------------------------------------


def test_the_generators_are_seeded_before_every_call(student: Driven):
    first = student.call("draw", seed_=3)
    assert student.call("draw", seed_=3) == first
    assert student.call("draw", seed_=4) != first
    assert first[0] != first[2]


def test_the_seed_is_passed_only_where_the_function_takes_one(student: Driven):
    assert student.call("takes_seed", 1, seed=3) == 3
    assert student.call("takes_none", 1, seed=3) == 1
    assert student.call("takes_all", seed=3) == {"seed": 3}
    assert student.call("sine", 0.0, seed=3) == 0.0  # no signature can be asked for


def test_the_seed_is_passed_to_classes_and_methods_alike(student: Driven, model: Handle):
    made = student.call("Perceptron", 1, model, seed=5)
    assert student.get(made, "seed") == 5
    assert student.call(student.get(made, "predict"), [0.0], seed=5) == ("called", 0.0)


def test_the_device_is_passed_only_where_the_function_takes_one(student: Driven):
    assert student.call("takes_device", 1) == "cpu"
    assert student.call("takes_default_device", 1) == ["cpu", 7]
    assert student.call("takes_all") == {}


def test_a_device_that_the_check_names_is_kept(student: Driven):
    assert student.call("takes_device", 1, device="cuda") == "cuda"


# --- output ---------------------------------------------------------------------------------------------------------


def test_what_is_printed_is_taken_once_with_stderr_in_its_place(student: Driven):
    student.client.take_output()
    student.call("say", "out 1", "err 1")
    student.call("say", "输出 2", "err 2")
    assert student.client.take_output() == "out 1\nerr 1\n输出 2\nerr 2\n"
    assert student.client.take_output() == ""


def test_text_without_an_end_of_line_and_text_below_python_are_taken(student: Driven):
    student.call("say_unended", "no end")
    student.call("say_below", " below")
    assert student.client.take_output() == "no end below"


def test_text_that_has_no_utf_8_can_be_printed(student: Driven):
    student.call("say_surrogate")
    assert student.client.take_output() == "\\ud800\n"


def test_only_the_tail_of_much_output_is_kept(student: Driven):
    student.call("say", "a" * 300_000, "the end")
    taken = student.client.take_output()
    assert taken.endswith("the end\n")
    assert len(taken) == 16 << 10


def test_nobody_is_there_to_answer_a_question(student: Driven):
    assert student.raised_by("ask").type_name == "EOFError"


# --- names that are missing -----------------------------------------------------------------------------------------


def test_a_name_missing_from_the_module_is_told_with_those_that_are_there(student: Driven):
    raised = student.raised_by("predikt")
    assert (raised.type_name, raised.text, raised.missing) == ("AttributeError", "", "predikt")
    assert "Perceptron" in raised.names
    assert raised.frames == []


def test_a_name_missing_from_an_object_is_told_with_those_that_are_there(student: Driven, model: Handle):
    with pytest.raises(StudentRaised) as caught:
        student.get(model, "wieghts")
    raised = caught.value.raised
    assert (raised.type_name, raised.text, raised.missing) == ("AttributeError", "Perceptron", "wieghts")
    assert {"weights", "predict"} <= set(raised.names)


def test_a_property_that_fails_by_itself_is_not_missing(student: Driven, model: Handle):
    with pytest.raises(StudentRaised, match="no attribute 'shape'") as caught:
        student.get(model, "broken")
    assert caught.value.raised.missing == ""
    assert caught.value.raised.frames[-1].function == "broken"


# --- what a function may be called with -------------------------------------------------------------------------------


def _wrapped() -> object:
    @functools.wraps(lambda seed: seed)
    def call(*args):
        return args

    return call


def _renamed() -> object:
    def call(x):
        return x

    call.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
    return call


@pytest.mark.parametrize(
    "function",
    [
        lambda: 0,
        lambda seed: seed,
        lambda x, seed=0, /: x,
        lambda x, *, device=None: x,
        lambda *seed: seed,
        lambda x, *rest, y=1, **more: x,
        lambda **seed: seed,
        _wrapped(),
        _renamed(),
        functools.partial(lambda x, seed: x, 1),
        Path.exists,
        Path().exists,
        Path,
        len,
        dict,
        "no function",
    ],
)
def test_parameters_are_those_that_inspect_tells(function):
    def inside() -> None:
        seed = 1  # a local variable is no parameter
        del seed

    try:
        told = inspect.signature(function).parameters
    except (TypeError, ValueError):
        told = {}
    names, takes_any = _parameters_of(function)
    assert set(names) == set(told)
    assert takes_any == any(one.kind is one.VAR_KEYWORD for one in told.values())
    assert not _parameters_of(inside).names
