"""Devices: the best there is, or the one asked for, with name and memory; told apart by made-up frameworks."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.box import devices
from autograder.box.devices import Device, Devices, available, choose

H100 = 85_520_809_984
CPU = Device("cpu", "cpu")
CUDA = Device("cuda", "cuda", "GPU 0", H100)
CUDA_1 = Device("cuda", "cuda:1", "GPU 1", H100)
MPS = Device("mps", "mps", "Apple GPU", 11 << 30)
TF_CPU = Device("cpu", "/CPU:0")


def torch(
    *, cuda: int = 0, mps: bool = False, built: str | None = "12.6", memory: Any = H100, ask: Any = None
) -> SimpleNamespace:
    """A torch that sees `cuda` GPUs; `ask` replaces the question whether there is one."""
    return SimpleNamespace(
        __version__="2.13.0",
        version=SimpleNamespace(cuda=built),
        cuda=SimpleNamespace(
            is_available=ask or (lambda: cuda > 0),
            device_count=lambda: cuda,
            get_device_name=lambda index: f"GPU {index}",
            get_device_properties=lambda index: SimpleNamespace(total_memory=memory),
        ),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        mps=SimpleNamespace(recommended_max_memory=lambda: 11 << 30),
    )


def tensorflow(*, gpus: tuple[str, ...] = (), cuda: bool = True, details: Any = None, ask: Any = None) -> Any:
    """A tensorflow that sees these GPUs; `ask` replaces the list of them, `details` what is told of one."""
    return SimpleNamespace(
        __version__="2.21.0",
        config=SimpleNamespace(
            list_physical_devices=ask or (lambda kind: list(gpus)),
            experimental=SimpleNamespace(get_device_details=details or (lambda gpu: {"device_name": gpu})),
        ),
        test=SimpleNamespace(is_built_with_cuda=lambda: cuda),
    )


def raises(*_: object) -> Any:
    raise RuntimeError("driver/library\nversion mismatch")


@pytest.fixture
def frameworks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The frameworks that the student's code has imported, on a machine without GPU or driver."""
    there: dict[str, Any] = {}
    monkeypatch.setattr(devices, "loaded", there.get)
    monkeypatch.setattr(devices, "_cuda_memory", lambda index: H100)
    monkeypatch.setattr(devices, "has_nvidia_driver", lambda: False)
    return there


@pytest.mark.parametrize(
    ("has", "wanted", "chosen"),
    [
        ({}, "auto", CPU),
        ({"cuda": 1}, "auto", CUDA),
        ({"cuda": 2}, "auto", CUDA),
        ({"cuda": 1, "mps": True}, "auto", CUDA),
        ({"mps": True}, "auto", MPS),
        ({"cuda": 1}, "cpu", CPU),
        ({"cuda": 2}, "cuda", CUDA),
        ({"cuda": 1, "mps": True}, "mps", MPS),
        ({}, "cuda", CPU),
        ({"mps": True}, "cuda", CPU),
        ({"cuda": 1}, "tpu", CPU),
    ],
)
def test_torch(frameworks, has, wanted, chosen):
    frameworks["torch"] = torch(**has)
    assert choose(wanted, available("torch")) == chosen


def test_torch_tells_all_gpus_in_order(frameworks):
    frameworks["torch"] = torch(cuda=2, mps=True)
    assert available("torch") == Devices([CUDA, CUDA_1, MPS, CPU])


def test_a_gpu_whose_memory_is_not_told_is_used_all_the_same(frameworks):
    frameworks["torch"] = torch(cuda=1, memory="none", mps=True)
    vars(frameworks["torch"]).pop("mps")  # torch 2.2 has no such function
    assert available("torch").found == [CUDA._replace(memory_bytes=0), MPS._replace(memory_bytes=0), CPU]


@pytest.mark.parametrize(
    ("has", "wanted", "chosen"),
    [
        ({}, "auto", TF_CPU),
        ({"gpus": ("H100",)}, "auto", Device("cuda", "/GPU:0", "H100", H100)),
        ({"gpus": ("H100", "T4")}, "auto", Device("cuda", "/GPU:0", "H100", H100)),
        ({"gpus": ("Metal",), "cuda": False}, "auto", Device("mps", "/GPU:0", "Metal")),
        ({"gpus": ("H100",)}, "cpu", TF_CPU),
        ({"gpus": ("H100",)}, "mps", TF_CPU),
        ({}, "cuda", TF_CPU),
    ],
)
def test_tensorflow(frameworks, has, wanted, chosen):
    frameworks["tensorflow"] = tensorflow(**has)
    assert choose(wanted, available("tensorflow")) == chosen


@pytest.mark.parametrize("details", [raises, lambda gpu: {}])
def test_a_gpu_of_which_tensorflow_tells_nothing_is_used_all_the_same(frameworks, monkeypatch, details):
    monkeypatch.setattr(devices, "_cuda_memory", raises)
    frameworks["tensorflow"] = tensorflow(gpus=("H100",), details=details)
    assert available("tensorflow") == Devices([Device("cuda", "/GPU:0"), TF_CPU])


@pytest.mark.parametrize("framework", [None, "torch", "tensorflow", "jax"])
def test_a_framework_that_is_not_imported_computes_on_the_cpu(frameworks, framework):
    assert available(framework) == Devices([CPU])


def test_only_the_submissions_framework_is_asked(frameworks):
    frameworks["torch"] = SimpleNamespace()  # asking it would raise
    frameworks["tensorflow"] = tensorflow()
    assert available("tensorflow") == Devices([TF_CPU])


# --- what keeps a GPU from being used -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "made"), [("torch", torch(ask=raises)), ("tensorflow", tensorflow(ask=raises))])
def test_a_query_that_fails_leaves_the_cpu_and_the_reason(frameworks, name, made):
    frameworks[name] = made
    found, problem = available(name)
    assert [device.kind for device in found] == ["cpu"]
    assert problem == "RuntimeError: driver/library version mismatch"


def test_a_warning_is_the_reason_where_torch_only_warns(frameworks):
    def old_driver() -> bool:
        warnings.warn("the driver is too old", stacklevel=1)
        return False

    frameworks["torch"] = torch(ask=old_driver)
    assert available("torch") == Devices([CPU], "the driver is too old")


@pytest.mark.parametrize(("name", "made"), [("torch", torch(built=None)), ("tensorflow", tensorflow(cuda=False))])
def test_a_build_without_cuda_beside_an_nvidia_driver_is_said(frameworks, monkeypatch, name, made):
    frameworks[name] = made
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert available(name).problem == ""
    monkeypatch.setattr(devices, "has_nvidia_driver", lambda: True)
    assert "is a build without CUDA" in available(name).problem
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # the cpu was asked for
    assert available(name).problem == ""


def test_a_reason_without_end_is_cut(frameworks):
    def endless() -> bool:
        raise RuntimeError("x" * 10_000)

    frameworks["torch"] = torch(ask=endless)
    assert len(available("torch").problem) == 300


def test_the_drivers_interface_is_asked_for_memory(monkeypatch):
    def total(size: Any, device: Any) -> int:
        size._obj.value = H100
        return 0

    driver = SimpleNamespace(cuInit=lambda flags: 0, cuDeviceGet=lambda device, index: index, cuDeviceTotalMem_v2=total)
    monkeypatch.setattr("ctypes.CDLL", lambda name: driver)
    assert devices._cuda_memory(0) == H100
    assert devices._cuda_memory(1) == 0  # CUDA_ERROR: no such device


@pytest.mark.parametrize(
    ("platform", "found", "only"),
    [
        ("linux", ["null", "zero", "urandom", "shm"], True),
        ("linux", [], True),
        ("linux", ["null", "nvidiactl"], False),
        ("linux", ["null", "dri"], False),
        ("win32", [], False),
    ],
)
def test_nothing_but_the_processor_is_there_where_every_device_is_known(monkeypatch, platform, found, only):
    monkeypatch.setattr(devices.sys, "platform", platform)
    monkeypatch.setattr(devices.os, "listdir", lambda _: found)
    assert devices.is_cpu_only() is only


def test_where_the_devices_can_not_be_listed_there_may_be_any(monkeypatch):
    def refuse(_):
        raise PermissionError

    monkeypatch.setattr(devices.os, "listdir", refuse)
    assert devices.is_cpu_only() is False
