"""Frameworks: seeds for each that is loaded, tensors out as arrays. Made-up ones here, real ones in a box."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograder.box import frameworks

if TYPE_CHECKING:
    from tests.box.conftest import Driven, Opener


# --- made-up ones ---------------------------------------------------------------------------------------------------


def framework(name: str, **has: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update({"__version__": "9.9", **has})
    return module


@pytest.fixture
def generators() -> Iterator[None]:
    """The test's generators, put back after it."""
    python, array = random.getstate(), np.random.get_state()  # noqa: NPY002
    yield
    random.setstate(python)
    np.random.set_state(array)  # noqa: NPY002


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch, generators: None) -> dict[str, int]:
    """What each made-up framework was seeded with."""
    seeds: dict[str, int] = {}

    def seed(name: str) -> Any:
        return lambda value: seeds.update({name: value})

    made = {
        "torch": framework(
            "torch",
            manual_seed=seed("torch"),
            default_generator=SimpleNamespace(manual_seed=seed("torch, only the cpu")),
            get_num_threads=lambda: 5,
        ),
        "tensorflow": framework("tensorflow", random=SimpleNamespace(set_seed=seed("tensorflow"))),
        "keras": framework("keras", utils=SimpleNamespace(set_random_seed=seed("keras"))),
    }
    for name, module in made.items():
        monkeypatch.setitem(sys.modules, name, module)
    return seeds


@pytest.mark.parametrize(
    ("seed", "used"), [(0, 0), (7, 7), (-1, (1 << 32) - 1), ((1 << 32) + 3, 3), ((1 << 63) - 1, (1 << 32) - 1)]
)
def test_every_generator_gets_the_seed_as_32_bits(seeded, seed, used):
    frameworks.seed_all(seed)
    assert seeded == {"torch": used, "tensorflow": used, "keras": used}


def test_only_torchs_generator_of_the_cpu_is_seeded_where_there_is_nothing_else(seeded):
    frameworks.seed_all(7, cpu_only=True)
    assert seeded == {"torch, only the cpu": 7, "tensorflow": 7, "keras": 7}


@pytest.mark.torch
def test_either_way_of_seeding_torch_gives_the_same_numbers(open_box: Opener):
    source = """
        import torch
        from autograder.box import frameworks
        def draw(cpu_only):
            frameworks.seed_all(11, cpu_only=cpu_only)
            return [torch.rand(5).numpy(), torch.randn(5).numpy(), torch.randperm(50).numpy()]
    """
    box = open_box(source, frameworks=("torch",))
    drawn = [[array.tobytes() for array in box.call("draw", cpu_only)] for cpu_only in (True, False)]
    assert drawn[0] == drawn[1]


def test_the_generators_of_python_and_numpy_start_anew(generators):
    drawn = []
    for _ in range(2):
        frameworks.seed_all(11)
        drawn.append((random.random(), np.random.rand()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


def test_a_framework_that_is_half_imported_does_not_count(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    assert frameworks.loaded("torch") is None
    assert frameworks.version("torch") is None
    assert frameworks.thread_count(3) == 3


def test_versions_and_threads_are_the_frameworks(seeded):
    assert frameworks.version("torch") == "9.9"
    assert frameworks.thread_count(3) == 5


def test_what_is_no_tensor_is_none(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert frameworks.tensor_as_array([1.0]) is None


# --- torch ----------------------------------------------------------------------------------------------------------

TORCH = """
    import numpy as np
    import torch

    class Mine(torch.Tensor): pass

    TENSORS = {
        "plain": torch.arange(6.0).reshape(2, 3),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "grad": torch.ones(2, requires_grad=True) * 3,
        "parameter": torch.nn.Parameter(torch.full((2,), 0.5)),
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "brain": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "int": torch.tensor(7),
        "bool": torch.tensor([True, False]),
        "complex": torch.tensor([1 + 2j]).conj(),
        "empty": torch.zeros(0, 3),
    }
    REFUSED = {"mine": torch.zeros(2).as_subclass(Mine), "sparse": torch.eye(2).to_sparse()}

    def tensor(name): return TENSORS[name]
    def nested(): return {"w": [torch.ones(2)], "loss": torch.tensor(0.5).item()}
    def refused(name): return REFUSED[name]
    def kind(x): return type(x).__name__
    def mean(x): return torch.from_numpy(x).mean()
    def draw(): return [torch.rand(2), torch.nn.Linear(2, 1).weight]
    def fit(x, seed, device): return [seed, device, str(torch.ones(1, device=device).device), torch.get_num_threads()]
    def model(): return torch.nn.Linear(2, 1)
"""


@pytest.fixture(scope="module")
def torch_box(module_opener: Opener) -> Driven:
    """A box whose module has imported torch."""
    return module_opener(TORCH, frameworks=("torch",), device="cpu", threads=1)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "dtype", "values"),
    [
        ("plain", "f4", [[0, 1, 2], [3, 4, 5]]),
        ("transposed", "f4", [[0, 3], [1, 4], [2, 5]]),
        ("grad", "f4", [3, 3]),
        ("parameter", "f4", [0.5, 0.5]),
        ("half", "f2", [1.5, -2]),
        ("brain", "f4", [1.5, -2]),
        ("int", "i8", 7),
        ("bool", "?", [True, False]),
        ("complex", "c8", [1 - 2j]),
    ],
)
def test_torch_tensors_come_out_as_arrays(torch_box: Driven, name, dtype, values):
    came = torch_box.call("tensor", name)
    assert type(came) is np.ndarray
    assert came.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(came, values)


@pytest.mark.torch
def test_an_empty_torch_tensor_keeps_its_shape(torch_box: Driven):
    assert torch_box.call("tensor", "empty").shape == (0, 3)


@pytest.mark.torch
def test_torch_tensors_inside_containers_come_out_as_arrays(torch_box: Driven):
    came = torch_box.call("nested")
    assert came["w"][0].tolist() == [1, 1]
    assert came["loss"] == 0.5


@pytest.mark.torch
def test_security_a_subclass_of_a_tensor_stays_in_the_box(torch_box: Driven):
    assert torch_box.call("refused", "mine").type_name == "Mine"


@pytest.mark.torch
def test_a_tensor_that_has_no_array_is_the_students_error(torch_box: Driven):
    assert torch_box.raised_by("refused", "sparse").type_name in {"TypeError", "NotImplementedError", "RuntimeError"}
    assert torch_box.call("kind", 1) == "int"


@pytest.mark.torch
def test_arrays_go_into_torch(torch_box: Driven):
    assert torch_box.call("mean", np.array([1.0, 2.0], "f4")) == 1.5


@pytest.mark.torch
def test_torch_is_seeded_before_every_call(torch_box: Driven):
    first, again, other = (torch_box.call("draw", seed_=seed) for seed in (1, 1, 2))
    assert [array.tolist() for array in first] == [array.tolist() for array in again]
    assert [array.tolist() for array in first] != [array.tolist() for array in other]


@pytest.mark.torch
def test_torch_computes_on_the_device_and_with_the_threads_asked_for(torch_box: Driven):
    assert torch_box.call("fit", 1, seed=3) == [3, "cpu", "cpu", 1]
    environment = torch_box.loaded().environment
    assert (environment.device, environment.threads) == ("cpu", 1)
    assert environment.torch


@pytest.mark.torch
def test_a_torch_model_stays_and_is_called(torch_box: Driven):
    model = torch_box.call("model")
    assert (model.type_name, model.callable) == ("Linear", True)
    assert torch_box.get(model, "weight").shape == (1, 2)


# --- tensorflow -----------------------------------------------------------------------------------------------------

TENSORFLOW = """
    import tensorflow as tf

    def tensor(): return tf.reshape(tf.range(6.0), (2, 3))
    def variable(): return tf.Variable([1.0, 2.0])
    def brain(): return tf.constant([1.5, -2.0], tf.bfloat16)
    def texts(): return tf.constant(["a", "b"])
    def mean(x): return tf.reduce_mean(x)
    def draw(): return [tf.random.uniform((2,)), tf.keras.layers.Dense(1).compute_output_shape((None, 2))[1]]
    def initial():
        layer = tf.keras.layers.Dense(1)
        layer.build((None, 2))
        return layer.kernel
    def fit(x, *, seed, device): return [seed, device]
"""


@pytest.fixture(scope="module")
def tensorflow_box(module_opener: Opener) -> Driven:
    """A box whose module has imported tensorflow."""
    return module_opener(TENSORFLOW, frameworks=("tensorflow",), device="cpu", threads=1)


@pytest.mark.tensorflow
def test_tensorflow_tensors_come_out_as_arrays(tensorflow_box: Driven):
    assert tensorflow_box.call("tensor").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tensorflow_box.call("variable").tolist() == [1, 2]
    assert tensorflow_box.call("mean", np.array([1.0, 2.0], "f4")) == 1.5


@pytest.mark.tensorflow
def test_a_keras_weight_comes_out_as_an_array(tensorflow_box: Driven):
    assert tensorflow_box.call("initial").shape == (2, 1)


@pytest.mark.tensorflow
def test_a_bfloat16_tensor_of_tensorflow_comes_out_as_float32(tensorflow_box: Driven):
    came = tensorflow_box.call("brain")
    assert (came.dtype, came.tolist()) == (np.dtype("f4"), [1.5, -2.0])


@pytest.mark.tensorflow
def test_a_tensor_of_texts_does_not_come_out(tensorflow_box: Driven):
    assert tensorflow_box.raised_by("texts").unsendable


@pytest.mark.tensorflow
def test_tensorflow_and_keras_are_seeded_before_every_call(tensorflow_box: Driven):
    for name in ("draw", "initial"):
        first, again, other = (np.asarray(_first(tensorflow_box.call(name, seed_=seed))).tolist() for seed in (1, 1, 2))
        assert first == again != other


def _first(came: Any) -> Any:
    return came[0] if isinstance(came, list) else came


@pytest.mark.tensorflow
def test_tensorflows_device_has_its_own_name(tensorflow_box: Driven):
    assert tensorflow_box.call("fit", 1, seed=3) == [3, "/CPU:0"]
    environment = tensorflow_box.loaded().environment
    assert environment.device == "cpu"
    assert environment.tensorflow
