"""Which device the student's code computes on (inside the box): cuda, then mps, then cpu, unless one is asked for.

Only a framework that the student's code has imported is asked; the judge never imports one to find out. A broken
driver, an old one, a build without GPU support: whatever asking raises leaves the cpu, with the reason beside it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from autograder.box.frameworks import loaded

AUTO = "auto"
CPU = "cpu"
_MAX_PROBLEM_CHARS = 300
_NO_DEVICES = frozenset(["null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr", "fd", "shm"])
_NVIDIA = {"linux": ("/dev/nvidiactl",), "win32": (r"C:\Windows\System32\nvcuda.dll",)}  # there with the driver


class Device(NamedTuple):
    """A device by the report's name, the name that the framework's functions take, and what it is called."""

    kind: str  # "cpu", "cuda" or "mps"
    argument: str  # "cuda" for torch, "/GPU:0" for tensorflow
    name: str = ""
    memory_bytes: int = 0  # 0: not known


class Devices(NamedTuple):
    """The devices of a framework, best first; the cpu is always there, and last."""

    found: list[Device]
    problem: str = ""  # why an accelerator is not among them, in the framework's words, where it says so


def choose(wanted: str, devices: Devices) -> Device:
    """Return the device to use: the best one there is, or `wanted` where it is there, else the cpu.

    The judge compares the answer with what it asked for, so a device that is missing is said and never silent.
    """
    if wanted == AUTO:
        return devices.found[0]
    return next((device for device in devices.found if device.kind == wanted), devices.found[-1])


def available(framework: str | None) -> Devices:
    """Return the devices of the framework; of several GPUs the first is the one that is used."""
    module = loaded(framework) if framework in {"torch", "tensorflow"} else None
    if module is None:
        return Devices([Device(CPU, CPU)])
    cpu = Device(CPU, CPU if framework == "torch" else "/CPU:0")
    ask = _torch_accelerators if framework == "torch" else _tensorflow_gpus
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found, problem = ask(module)
        # Broad: drivers raise what they like, and the student's code may have patched the framework.
        except Exception as error:  # noqa: BLE001
            found, problem = [], f"{type(error).__name__}: {error}"
    if not found and not problem:  # torch warns where the driver is too old, and says False
        problem = next((str(warning.message) for warning in warned), "")
    return Devices([*found, cpu], " ".join(problem.split())[:_MAX_PROBLEM_CHARS])


def is_cpu_only() -> bool:
    """Return whether nothing but the processor is within reach of this process, as in a sealed box without a grant.

    By what is in /dev, all of which is known there: asking a framework takes time, and may touch a driver.
    """
    with contextlib.suppress(OSError):
        return sys.platform == "linux" and _NO_DEVICES.issuperset(os.listdir("/dev"))  # noqa: PTH208 - names
    return False


def keep_to_share(share: float) -> None:
    """Have the frameworks take no more than a share of each GPU's memory, before they are first used.

    What is asked for beyond is then their exception, at the line that asks. Their limit alone: the student's code can
    lift it, and the judge watches from outside.
    """
    # Broad: a framework that can't use the GPU says so when its devices are asked for.
    with contextlib.suppress(Exception):
        if (torch := loaded("torch")) and torch.cuda.is_available():
            for index in range(torch.cuda.device_count()):
                torch.cuda.set_per_process_memory_fraction(share, index)
    with contextlib.suppress(Exception):
        if tensorflow := loaded("tensorflow"):
            for index, gpu in enumerate(tensorflow.config.list_physical_devices("GPU")):
                _keep_tensorflow_to_share(tensorflow, gpu, index, share)


def _keep_tensorflow_to_share(tensorflow: Any, gpu: Any, index: int, share: float) -> None:
    """Bound what tensorflow takes of a GPU. It takes all of it at once otherwise, and others find nothing.

    A whole GPU is only asked to be taken as needed: lessons set that themselves, and may not beside a limit.
    """
    memory = _cuda_memory(index)
    if share < 1 and memory:
        limit = tensorflow.config.LogicalDeviceConfiguration(memory_limit=int(share * memory) >> 20)
        tensorflow.config.set_logical_device_configuration(gpu, [limit])
    else:
        tensorflow.config.experimental.set_memory_growth(gpu, enable=True)


def has_nvidia_driver() -> bool:
    """Return whether this machine has the driver of an NVIDIA GPU."""
    return any(Path(path).exists() for path in _NVIDIA.get(sys.platform, ()))


# --- torch ----------------------------------------------------------------------------------------------------------


def _torch_accelerators(torch: Any) -> tuple[list[Device], str]:
    found, problem = [], ""
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            memory = 0
            with contextlib.suppress(Exception):  # a name is enough
                memory = int(torch.cuda.get_device_properties(index).total_memory)
            argument = f"cuda:{index}" if index else "cuda"
            found.append(Device("cuda", argument, str(torch.cuda.get_device_name(index)), memory))
    elif torch.version.cuda is None and has_nvidia_driver() and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        problem = f"torch {torch.__version__} is a build without CUDA"
    if torch.backends.mps.is_available():
        found.append(Device("mps", "mps", "Apple GPU", _mps_memory(torch)))
    return found, problem


def _mps_memory(torch: Any) -> int:
    """Return what the GPU may use of the memory that it shares with the processor."""
    with contextlib.suppress(Exception):  # torch before 2.5 does not tell
        return int(torch.mps.recommended_max_memory())
    return 0


# --- tensorflow -----------------------------------------------------------------------------------------------------


def _tensorflow_gpus(tensorflow: Any) -> tuple[list[Device], str]:
    gpus = tensorflow.config.list_physical_devices("GPU")
    is_cuda = bool(tensorflow.test.is_built_with_cuda())
    if not gpus and not is_cuda and has_nvidia_driver() and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        return [], f"tensorflow {tensorflow.__version__} is a build without CUDA"
    return [_tensorflow_gpu(tensorflow, gpu, index, is_cuda=is_cuda) for index, gpu in enumerate(gpus)], ""


def _tensorflow_gpu(tensorflow: Any, gpu: Any, index: int, *, is_cuda: bool) -> Device:
    name, memory = "", 0
    with contextlib.suppress(Exception):  # experimental, and not on every platform
        name = str(tensorflow.config.experimental.get_device_details(gpu).get("device_name", ""))
    if is_cuda:
        with contextlib.suppress(Exception):
            memory = _cuda_memory(index)
    return Device("cuda" if is_cuda else "mps", f"/GPU:{index}", name, memory)


def _cuda_memory(index: int) -> int:
    """Return a GPU's memory by the driver's own interface.

    tensorflow tells it only once it has taken the GPU, after which the student's code can't set memory growth any more.
    """
    import ctypes

    driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    device, size = ctypes.c_int(), ctypes.c_size_t()
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), index):
        return 0
    return 0 if driver.cuDeviceTotalMem_v2(ctypes.byref(size), device) else size.value
