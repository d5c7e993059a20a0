"""NVIDIA's management library, as far as it is needed: which GPUs there are, and which process has how much memory.

Asked by the judge, from outside of the boxes: what a box says of its memory is a claim. CUDA is never touched by it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from functools import cache
from typing import NamedTuple, Protocol

_LIBRARY = "libnvidia-ml.so.1"  # comes with the driver
_TEXT_BYTES = 96
_TOO_SMALL = 7  # NVML_ERROR_INSUFFICIENT_SIZE: the count says how many there are
_NOT_AVAILABLE = (1 << 64) - 1
_MOST_PROCESSES = 4096


class Gpu(NamedTuple):
    """A GPU of this machine."""

    uuid: str  # by which CUDA_VISIBLE_DEVICES names it whatever the order is
    minor: int  # of its device node
    name: str
    memory_bytes: int


class Meter(Protocol):
    """Tells how much memory of GPUs some processes have."""

    def used_bytes(self, gpus: Collection[Gpu], pids: Collection[int]) -> int:
        """Return the memory of the GPUs that the processes have together; 0 where it can't be told."""
        ...


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class Nvml:
    """The library, opened.

    Args:
        library: its name, or a path.

    Raises:
        OSError: it is not here, or has no driver to ask.
    """

    def __init__(self, library: str = _LIBRARY) -> None:
        self._library = ctypes.CDLL(library)
        if status := self._library.nvmlInit_v2():
            raise OSError(f"nvmlInit: {status}")

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the GPUs, in the driver's order."""
        count = ctypes.c_uint()
        if self._library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return ()
        found = (self._gpu(index) for index in range(count.value))
        return tuple(gpu for gpu in found if gpu is not None)

    def used_bytes(self, gpus: Collection[Gpu], pids: Collection[int]) -> int:
        """Return the memory of the GPUs that the processes have together."""
        wanted = set(pids)
        return sum(
            process.used
            for gpu in gpus
            for process in self._processes(gpu)
            if process.pid in wanted and process.used != _NOT_AVAILABLE
        )

    def _gpu(self, index: int) -> Gpu | None:
        handle, minor, memory = ctypes.c_void_p(), ctypes.c_uint(), _Memory()
        uuid, name = (ctypes.create_string_buffer(_TEXT_BYTES) for _ in range(2))
        failed = (
            self._library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle))
            or self._library.nvmlDeviceGetUUID(handle, uuid, ctypes.c_uint(_TEXT_BYTES))
            or self._library.nvmlDeviceGetMinorNumber(handle, ctypes.byref(minor))
            or self._library.nvmlDeviceGetName(handle, name, ctypes.c_uint(_TEXT_BYTES))
            or self._library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
        )
        return None if failed else Gpu(uuid.value.decode(), minor.value, name.value.decode(), memory.total)

    def _processes(self, gpu: Gpu) -> list[_Process]:
        handle, count = ctypes.c_void_p(), ctypes.c_uint(0)
        if self._library.nvmlDeviceGetHandleByUUID(gpu.uuid.encode(), ctypes.byref(handle)):
            return []
        ask = self._library.nvmlDeviceGetComputeRunningProcesses_v3
        status = ask(handle, ctypes.byref(count), None)
        while status == _TOO_SMALL and count.value < _MOST_PROCESSES:  # another process may come in between
            found = (_Process * count.value)()
            status = ask(handle, ctypes.byref(count), found)
            if not status:
                return list(found[: count.value])
        return []


@cache
def nvml() -> Nvml | None:
    """Return the library; None where this machine has none."""
    try:
        return Nvml()
    except (OSError, AttributeError):  # not there; or older than the functions that are asked
        return None
