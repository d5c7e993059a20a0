"""Devices: the best there is, or the one asked for; told apart by made-up frameworks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from autograder.box import devices
from autograder.box.devices import Device, available, choose

CPU = Device("cpu", "cpu")
CUDA = Device("cuda", "cuda", "H100")
MPS = Device("mps", "mps", "Apple GPU")
TF_CPU = Device("cpu", "/CPU:0")


def torch(*, cuda: bool = False, mps: bool = False) -> Any:
    return SimpleNamespace(
        cuda=SimpleNamespace(is_available=lambda: cuda, get_device_name=lambda index: "H100"),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
    )


def tensorflow(*, gpus: tuple[str, ...] = (), cuda: bool = True) -> Any:
    return SimpleNamespace(
        config=SimpleNamespace(
            list_physical_devices=lambda kind: list(gpus),
            experimental=SimpleNamespace(get_device_details=lambda gpu: {"device_name": gpu}),
        ),
        test=SimpleNamespace(is_built_with_cuda=lambda: cuda),
    )


@pytest.fixture
def frameworks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The frameworks that the student's code has imported."""
    there: dict[str, Any] = {}
    monkeypatch.setattr(devices, "loaded", there.get)
    return there


@pytest.mark.parametrize(
    ("has", "wanted", "chosen"),
    [
        ({}, "auto", CPU),
        ({"cuda": True}, "auto", CUDA),
        ({"cuda": True, "mps": True}, "auto", CUDA),
        ({"mps": True}, "auto", MPS),
        ({"cuda": True}, "cpu", CPU),
        ({"cuda": True, "mps": True}, "mps", MPS),
        ({}, "cuda", CPU),
        ({"mps": True}, "cuda", CPU),
        ({"cuda": True}, "tpu", CPU),
    ],
)
def test_torch(frameworks, has, wanted, chosen):
    frameworks["torch"] = torch(**has)
    assert choose(wanted, "torch") == chosen


@pytest.mark.parametrize(
    ("has", "wanted", "chosen"),
    [
        ({}, "auto", TF_CPU),
        ({"gpus": ("H100",)}, "auto", Device("cuda", "/GPU:0", "H100")),
        ({"gpus": ("Metal",), "cuda": False}, "auto", Device("mps", "/GPU:0", "Metal")),
        ({"gpus": ("H100",)}, "cpu", TF_CPU),
        ({"gpus": ("H100",)}, "mps", TF_CPU),
    ],
)
def test_tensorflow(frameworks, has, wanted, chosen):
    frameworks["tensorflow"] = tensorflow(**has)
    assert choose(wanted, "tensorflow") == chosen


@pytest.mark.parametrize("framework", [None, "torch", "tensorflow", "jax"])
def test_a_framework_that_is_not_imported_computes_on_the_cpu(frameworks, framework):
    assert available(framework) == [CPU]


def test_only_the_submissions_framework_is_asked(frameworks):
    frameworks["torch"] = None  # asking it would raise
    frameworks["tensorflow"] = tensorflow()
    assert choose("auto", "tensorflow") == TF_CPU
