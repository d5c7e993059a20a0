"""Which device the student's code computes on (inside the box): cuda, then mps, then cpu, unless one is asked for.

Only a framework that the student's code has imported is asked; the judge never imports one to find out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from autograder.box.frameworks import loaded

AUTO = "auto"
CPU = "cpu"


class Device(NamedTuple):
    """A device by the report's name, the name that the framework's functions take, and what it is called."""

    kind: str  # "cpu", "cuda" or "mps"
    argument: str  # "cuda" for torch, "/GPU:0" for tensorflow
    name: str = ""


def choose(wanted: str, framework: str | None) -> Device:
    """Return the device to use: the best one there is, or `wanted` where it is there, else the cpu.

    The judge compares the answer with what it asked for, so a device that is missing is said and never silent.
    """
    there = available(framework)
    if wanted == AUTO:
        return there[0]
    return next((device for device in there if device.kind == wanted), there[-1])


def available(framework: str | None) -> list[Device]:
    """Return the devices of the framework, best first; the cpu is always there, and last."""
    if framework == "tensorflow" and (tensorflow := loaded("tensorflow")):
        return [*_tensorflow_gpus(tensorflow), Device(CPU, "/CPU:0")]
    if framework == "torch" and (torch := loaded("torch")):
        return [*_torch_accelerators(torch), Device(CPU, CPU)]
    return [Device(CPU, CPU)]


def _torch_accelerators(torch: Any) -> list[Device]:
    found = []
    if torch.cuda.is_available():
        found.append(Device("cuda", "cuda", str(torch.cuda.get_device_name(0))))
    if torch.backends.mps.is_available():
        found.append(Device("mps", "mps", "Apple GPU"))
    return found


def _tensorflow_gpus(tensorflow: Any) -> list[Device]:
    gpus = tensorflow.config.list_physical_devices("GPU")
    if not gpus:
        return []
    details = tensorflow.config.experimental.get_device_details(gpus[0])
    kind = "cuda" if tensorflow.test.is_built_with_cuda() else "mps"
    return [Device(kind, "/GPU:0", str(details.get("device_name", "")))]
