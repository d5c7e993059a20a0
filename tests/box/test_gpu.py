"""GPUs in sealed boxes: nothing without a grant, and what is granted is all there is. By fakes, but for the last part.

The fakes: nodes that are the null device under other names; a library in place of the driver's, made
by this machine's C compiler; a torch and a tensorflow made of a few lines. The last part runs where a GPU is, by
`pytest -m gpu tests/box/test_gpu.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from collections.abc import Collection, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.box import client, devices, grant, zygote, zygotes
from autograder.box.causes import BoxDied, Cause
from autograder.box.client import BoxClient
from autograder.box.grant import NO_GPU, Grant, allowed, slots
from autograder.box.interpreter import ours
from autograder.box.linux.landlock import abi
from autograder.box.nvml import Gpu, Nvml
from autograder.box.probe import has_gpu
from autograder.box.spec import BoxSpec
from autograder.judge import isolation, trial
from autograder.judge.isolation import Wanted, choose_isolation, first_gpu
from autograder.judge.trial import GpuTrial, try_gpu
from autograder.limits import MB, Limits
from autograder.results import Status
from tests.box.conftest import Driven, sealed_only

GB = 1 << 30
LONG_S = 60.0
H100 = Gpu("GPU-11111111-2222-3333-4444-555555555555", 0, "H100", 80 * GB)
T4 = Gpu("GPU-66666666-7777-8888-9999-000000000000", 1, "T4", 16 * GB)
BLOCK_SIZE = 2  # FIGETBSZ: a number that nvidia-uvm's commands have, too, and that any file of a disk answers


class FakeGrant(Grant):
    """Its nodes are the null device's."""

    @property
    def nodes(self) -> tuple[tuple[str, str], ...]:
        return tuple(("/dev/null", name) for _, name in super().nodes)


class GrantWithoutTools(Grant):
    """One of its nodes is not on this machine."""

    @property
    def nodes(self) -> tuple[tuple[str, str], ...]:
        return tuple(("/dev/no-such" if "tools" in name else "/dev/null", name) for _, name in super().nodes)


@pytest.fixture(scope="module", autouse=True)
def _close_zygotes() -> Iterator[None]:
    yield
    for key in [key for key in zygotes._zygotes if key.nodes]:
        zygotes._zygotes.pop(key).close()


class FakeMeter:
    """Says that whatever is asked for has so much memory."""

    def __init__(self, used_bytes: int) -> None:
        self.used, self.asked = used_bytes, set[int]()

    def used_bytes(self, gpus: Collection[Gpu], pids: Collection[int]) -> int:
        self.asked |= set(pids)
        return self.used if pids else 0


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens sealed boxes; they are closed after the test."""
    monkeypatch.setattr(client, "nvml", lambda: None)
    made: list[BoxClient] = []

    def open_(source: str, granted: Grant = NO_GPU, frameworks: tuple[str, ...] = (), **limits: float) -> Driven:
        files = {"answer.py": textwrap.dedent(source).encode()}
        made.append(
            BoxClient(
                BoxSpec(
                    files, "answer.py", frameworks, limits=Limits.model_validate(limits), isolation="namespaces",
                    grant=granted,
                )
            )
        )  # fmt: skip
        return Driven(made[-1])

    yield open_
    for one in made:
        one.close()
        one._output._thread.join(LONG_S)


# --- what a grant is --------------------------------------------------------------------------------------------------


def test_nothing_is_granted_unless_it_is_said():
    assert (NO_GPU.nodes, NO_GPU.visible, NO_GPU.memory_bytes) == ((), "", 0)
    assert BoxSpec({}, "answer.py", ()).grant is NO_GPU


def test_a_grant_names_the_nodes_the_gpus_and_their_memory():
    assert Grant((T4,), 0.5).nodes == tuple(
        (f"/dev/{name}", name) for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia1")
    )
    assert Grant((H100, T4)).visible == f"{H100.uuid},{T4.uuid}"
    assert Grant((H100, T4), 0.25).memory_bytes == 24 * GB


def test_a_scheduler_divides_gpus_into_slots():
    assert slots((H100, T4), 2) == (Grant((H100,), 0.5), Grant((H100,), 0.5), Grant((T4,), 0.5), Grant((T4,), 0.5))
    assert slots((H100, T4)) == (Grant((H100,)), Grant((T4,)))


@pytest.mark.parametrize(
    ("visible", "left"),
    [
        (None, (H100, T4)),
        ("", ()),
        ("1", (T4,)),
        ("1,0", (T4, H100)),
        (" 0 , 1", (H100, T4)),
        ("GPU-6666", (T4,)),
        ("0,7,1", (H100,)),
        ("-1", ()),
        ("NoDevFiles", ()),
    ],
)
def test_the_users_own_choice_of_gpus_holds(visible, left):
    assert allowed((H100, T4), visible) == left


# --- in a box ---------------------------------------------------------------------------------------------------------

LOOK = """
    import errno, fcntl, os
    def nodes(): return sorted(name for name in os.listdir("/dev") if "nvidia" in name)
    def visible(): return os.environ.get("CUDA_VISIBLE_DEVICES")
    def opened(name):
        try: os.close(os.open(f"/dev/{name}", os.O_RDWR))
        except OSError as error: return errno.errorcode[error.errno]
        return "open"
    def block_size():
        with open("file", "w") as file:
            try: fcntl.ioctl(file, 2, bytes(8))
            except OSError as error: return errno.errorcode[error.errno]
        return "answered"
    def memfd():
        try: os.close(os.memfd_create("x"))
        except OSError as error: return errno.errorcode[error.errno]
        return "made"
    def written(path):
        try:
            with open(path, "w") as file: file.write("1000" if "oom" in path else "name")
        except OSError as error: return errno.errorcode[error.errno]
        return "written"
    def limits():
        import resource
        kinds = resource.RLIMIT_DATA, resource.RLIMIT_AS
        return [resource.getrlimit(kind)[0] == resource.RLIM_INFINITY for kind in kinds]
"""
THREAD = "/proc/thread-self/comm"


@sealed_only
def test_security_without_a_grant_a_box_has_nothing_of_a_gpu(opened, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    box = opened(LOOK)
    assert (box.call("nodes"), box.call("visible"), box.call("opened", "nvidia0")) == ([], "", "ENOENT")
    assert (box.call("block_size"), box.call("memfd"), box.call("written", THREAD)) == ("ENOTTY", "EPERM", "EROFS")


@sealed_only
@pytest.mark.parametrize(("gpu", "own", "other"), [(H100, "nvidia0", "nvidia1"), (T4, "nvidia1", "nvidia0")])
def test_security_with_a_grant_it_has_that_gpu_and_no_other(opened, gpu, own, other):
    box = opened(LOOK, FakeGrant((gpu,)))
    assert box.call("nodes") == sorted(["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", own])
    assert (box.call("opened", own), box.call("opened", other)) == ("open", "ENOENT")
    assert box.call("visible") == gpu.uuid


@sealed_only
def test_security_with_a_grant_the_filter_lets_the_drivers_commands_through(opened):
    box = opened(LOOK, FakeGrant((H100,)))
    assert (box.call("block_size"), box.call("memfd")) == ("answered", "made")


@sealed_only
@pytest.mark.skipif(not abi(), reason="no landlock in this kernel")
def test_security_with_a_grant_of_proc_only_the_threads_names_can_be_written(opened):
    box = opened(LOOK, FakeGrant((H100,)))
    assert box.call("written", THREAD) == "written"
    for path in ("/proc/self/oom_score_adj", "/proc/self/coredump_filter", "/proc/sys/kernel/hostname"):
        assert box.call("written", path) == "EACCES"


@sealed_only
def test_cuda_may_reserve_any_number_of_addresses(opened):
    assert opened(LOOK).call("limits") == [False, False]
    assert opened(LOOK, FakeGrant((H100,))).call("limits") == [True, True]


@sealed_only
def test_security_memory_is_bounded_beside_a_gpu_as_well(opened):
    box = opened(
        "import time\ndef take():\n    held = bytearray(b'x') * (1 << 30)\n    time.sleep(600)",
        FakeGrant((H100,)),
        memory_mb=256,
    )
    assert box.death_in("take", timeout_s=LONG_S) == Cause(Status.MEMORY, "memory", "256")


@sealed_only
def test_a_node_that_is_not_there_is_left_out(opened):
    assert opened(LOOK, GrantWithoutTools((H100,))).call("nodes") == ["nvidia-uvm", "nvidia0", "nvidiactl"]


@sealed_only
def test_attempts_with_different_gpus_have_zygotes_of_their_own_and_the_same_share_one(opened):
    for granted in (FakeGrant((H100,)), FakeGrant((H100,), 0.5), FakeGrant((T4,))):
        opened(LOOK, granted).call("nodes")
    nodes = {FakeGrant((gpu,)).nodes for gpu in (H100, T4)}
    assert len([key for key in zygotes._zygotes if key.nodes in nodes and not key.frameworks]) == 2


# --- nothing touches a GPU before the fork ----------------------------------------------------------------------------


@sealed_only
@pytest.mark.torch
def test_a_zygote_sees_no_gpu_and_a_box_sees_its_own(opened):
    source = """
        import os, torch
        AT_IMPORT = os.environ["CUDA_VISIBLE_DEVICES"]
        def told():
            inherited = open("/proc/self/environ").read().split("\\0")
            at_start = [line for line in inherited if line.startswith("CUDA_VISIBLE_DEVICES")]
            return [AT_IMPORT, at_start, torch.cuda.is_initialized(), os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"]]
    """
    box = opened(source, FakeGrant((H100,)), ("torch",))
    assert box.call("told") == [H100.uuid, ["CUDA_VISIBLE_DEVICES="], False, "1"]


def test_a_process_that_has_touched_a_gpu_is_found_out(tmp_path, monkeypatch):
    dev = str(tmp_path)
    (tmp_path / "nvidia2").write_text("")
    assert zygote.touched_gpu(dev) == ""
    with (tmp_path / "nvidia2").open():
        assert zygote.touched_gpu(dev) == f"{dev}/nvidia2"
    torch = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: True))
    monkeypatch.setitem(zygote.sys.modules, "torch", torch)
    assert zygote.touched_gpu(dev) == "torch"


# --- memory -----------------------------------------------------------------------------------------------------------


@sealed_only
def test_security_more_of_a_gpus_memory_than_the_share_ends_the_box_as_memory(opened, monkeypatch):
    meter = FakeMeter(8 * GB + grant.CONTEXT_BYTES)
    monkeypatch.setattr(client, "nvml", lambda: meter)
    box = opened("import os, time\ndef one(): return 1\ndef sleep(): time.sleep(600)", FakeGrant((T4,), 0.5))
    assert box.call("one") == 1  # at the share it may stay
    meter.used += 1
    assert box.death_in("sleep", timeout_s=LONG_S) == Cause(Status.MEMORY, "gpu_memory", str(8 * GB // MB))
    assert len(meter.asked) >= 2  # init and the worker


@sealed_only
def test_security_what_the_watch_is_asked_about_is_the_box(opened, monkeypatch):
    meter = FakeMeter(0)
    monkeypatch.setattr(client, "nvml", lambda: meter)
    box = opened("def one(): return 1", FakeGrant((T4,)))
    box.call("one")
    inside = {member.pid for member in box.client._running.members()}
    assert len(inside) == 2
    assert box.client.gpu_bytes() == 0
    assert inside <= meter.asked
    assert os.getpid() not in meter.asked


def test_torch_is_asked_to_keep_to_the_share(monkeypatch):
    asked: list[tuple[float, int]] = []
    torch = SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: True,
            device_count=lambda: 2,
            set_per_process_memory_fraction=lambda share, index: asked.append((share, index)),
        )
    )
    monkeypatch.setattr(devices, "loaded", {"torch": torch}.get)
    devices.keep_to_share(0.25)
    assert asked == [(0.25, 0), (0.25, 1)]


@pytest.mark.parametrize(("share", "asked"), [(1.0, ["growth"]), (0.5, [8192])])
def test_tensorflow_is_asked_to_keep_to_the_share(monkeypatch, share, asked):
    came: list[Any] = []
    config = SimpleNamespace(
        list_physical_devices=lambda kind: ["T4"],
        LogicalDeviceConfiguration=lambda memory_limit: memory_limit,
        set_logical_device_configuration=lambda gpu, limits: came.extend(limits),
        experimental=SimpleNamespace(set_memory_growth=lambda gpu, *, enable: came.append("growth")),
    )
    monkeypatch.setattr(devices, "loaded", {"tensorflow": SimpleNamespace(config=config)}.get)
    monkeypatch.setattr(devices, "_cuda_memory", lambda index: 16 * GB)
    devices.keep_to_share(share)
    assert came == asked


def test_a_framework_that_can_not_be_asked_does_not_end_the_box(monkeypatch):
    monkeypatch.setattr(devices, "loaded", {"torch": SimpleNamespace()}.get)
    devices.keep_to_share(0.5)


# --- the driver's library ---------------------------------------------------------------------------------------------

FAKE_LIBRARY = r"""
#include <string.h>
#include <stddef.h>
static const char *uuids[] = {"GPU-aa", "GPU-bb"};
int nvmlInit_v2(void) { return FAILS; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { if (i > 1) return 6; *h = (void *)uuids[i]; return 0; }
int nvmlDeviceGetHandleByUUID(const char *u, void **h) {
  for (int i = 0; i < 2; i++) if (!strcmp(u, uuids[i])) { *h = (void *)uuids[i]; return 0; }
  return 6;
}
int nvmlDeviceGetUUID(void *h, char *s, unsigned n) { strncpy(s, h, n); return 0; }
int nvmlDeviceGetMinorNumber(void *h, unsigned *n) { *n = h == (void *)uuids[1] ? 5 : 4; return 0; }
int nvmlDeviceGetName(void *h, char *s, unsigned n) { strncpy(s, "made up", n); return 0; }
int nvmlDeviceGetMemoryInfo(void *h, unsigned long long *m) { m[0] = 1000; m[1] = 400; m[2] = 600; return 0; }
struct process { unsigned pid; unsigned long long used; unsigned gi, ci; };
int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, struct process *p) {
  if (*n < 3) { *n = 3; return 7; }
  *n = 3;
  p[0] = (struct process){11, 100, 0, 0}; p[1] = (struct process){22, 20, 0, 0}; p[2] = (struct process){33, -1, 0, 0};
  return 0;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes a library that answers as the driver's does, with two GPUs."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to make a fake library with")
    folder = tmp_path_factory.mktemp("nvml")
    (folder / "nvml.c").write_text(FAKE_LIBRARY)

    def make(fails: int) -> str:
        made = folder / f"libnvml-{fails}.so"
        command = [compiler, "-shared", "-fPIC", f"-DFAILS={fails}", "-o", str(made), str(folder / "nvml.c")]
        subprocess.run(command, check=True, timeout=LONG_S)
        return str(made)

    return make


def test_gpus_and_their_memory_are_read_from_the_drivers_library(library):
    nvml = Nvml(library(0))
    both = nvml.gpus()
    assert both == (Gpu("GPU-aa", 4, "made up", 1000), Gpu("GPU-bb", 5, "made up", 1000))
    assert nvml.used_bytes(both, [11, 22]) == 240
    assert nvml.used_bytes(both[:1], [22, 99]) == 20
    assert nvml.used_bytes(both, [33]) == 0  # the driver can't tell
    assert nvml.used_bytes([H100], [11]) == 0


def test_a_library_without_a_driver_is_none(library):
    with pytest.raises(OSError, match="nvmlInit: 9"):
        Nvml(library(9))
    with pytest.raises(OSError, match="no-such-library"):
        Nvml("no-such-library.so")


# --- the choice -------------------------------------------------------------------------------------------------------

WORKS, BROKEN, NO_CUDA = GpuTrial(can_compute=True), GpuTrial("made-up reason"), GpuTrial()
TORCH = Wanted(frameworks=("torch",))


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine with two GPUs, where the trial of one ends as it is said to."""

    def prepare(outcome: GpuTrial) -> None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(isolation, "has_gpu", lambda: True)
        monkeypatch.setattr(isolation, "nvml", lambda: SimpleNamespace(gpus=lambda: (H100, T4)))
        monkeypatch.setattr(isolation, "try_gpu", lambda python, framework, granted: outcome)

    return prepare


@sealed_only
@pytest.mark.parametrize(
    ("outcome", "wanted", "chosen", "granted"),
    [
        (WORKS, TORCH, "namespaces", Grant((H100,))),
        (WORKS, TORCH._replace(device="cuda"), "namespaces", Grant((H100,))),
        (WORKS, TORCH._replace(isolation="namespaces"), "namespaces", Grant((H100,))),
        (WORKS, TORCH._replace(grant=Grant((T4,), 0.5)), "namespaces", Grant((T4,), 0.5)),
        (WORKS, TORCH._replace(grant=NO_GPU), "namespaces", NO_GPU),
        (WORKS, TORCH._replace(device="cpu"), "namespaces", NO_GPU),
        (WORKS, TORCH._replace(frameworks=()), "namespaces", NO_GPU),
        (BROKEN, TORCH, "process", NO_GPU),
        (BROKEN, TORCH._replace(isolation="namespaces"), "namespaces", NO_GPU),
        (NO_CUDA, TORCH, "namespaces", NO_GPU),
    ],
)
def test_a_box_is_sealed_with_its_gpu_where_that_works(with_gpu, outcome, wanted, chosen, granted):
    with_gpu(outcome)
    found = choose_isolation(wanted, ours())
    assert (found.isolation, found.grant) == (chosen, granted)
    assert found.gpu_problem == (outcome.problem if granted is NO_GPU and outcome is BROKEN else "")


@sealed_only
def test_where_the_drivers_library_is_missing_it_is_said(with_gpu, monkeypatch):
    with_gpu(WORKS)
    monkeypatch.setattr(isolation, "nvml", lambda: None)
    found = choose_isolation(TORCH, ours())
    assert found.isolation == "process"
    assert "libnvidia-ml.so.1" in found.gpu_problem


@sealed_only
def test_the_users_own_choice_of_no_gpu_holds(with_gpu, monkeypatch):
    with_gpu(WORKS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = choose_isolation(TORCH, ours())
    assert (found.isolation, found.grant) == ("namespaces", Grant(()))


@sealed_only
@pytest.mark.torch
def test_a_trial_starts_a_box_with_the_grant_and_says_why_it_can_not_compute(monkeypatch, opened):
    """With torch's build for processors; the same lines run where there is a GPU."""
    torch = pytest.importorskip("torch")
    found = try_gpu(ours(), "torch", FakeGrant((H100,)))
    if torch.version.cuda is None:
        assert found == NO_CUDA
    monkeypatch.setitem(trial._OF_FRAMEWORK, "torch", {"built": "True", "computed": "4"})
    try_gpu.cache_clear()
    found = try_gpu(ours(), "torch", FakeGrant((H100,)))
    assert not found.can_compute
    assert "A sealed box can't use the GPU here" in found.problem


# --- with a GPU -------------------------------------------------------------------------------------------------------

HAS_CUDA = has_gpu() and first_gpu() is not None


@pytest.mark.gpu
@sealed_only
@pytest.mark.skipif(not HAS_CUDA, reason="no NVIDIA GPU here: not run on hardware")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("torch", "tensorflow")]
)
def test_a_sealed_box_computes_on_a_real_gpu_and_is_watched(name):
    granted = first_gpu()
    assert granted is not None
    assert try_gpu(ours(), name, granted) == GpuTrial(can_compute=True, is_watched=True)


@pytest.mark.gpu
@pytest.mark.torch
@sealed_only
@pytest.mark.skipif(not HAS_CUDA, reason="no NVIDIA GPU here: not run on hardware")
def test_security_code_that_lifts_its_own_limit_on_a_real_gpu_is_ended():
    whole = first_gpu()
    assert whole is not None
    source = b"""
import time, torch
def take(n): return float(torch.ones(n << 28, device="cuda").sum())
def lift(n):
    torch.cuda.set_per_process_memory_fraction(1.0)
    held = torch.ones(n << 28, device="cuda")
    time.sleep(600)
"""
    share = 4 * GB / whole.memory_bytes
    spec = BoxSpec({"answer.py": source}, "answer.py", ("torch",), "cuda", isolation="namespaces",
                   grant=Grant(whole.gpus, share))  # fmt: skip
    box = Driven(BoxClient(spec))
    try:
        assert box.call("take", 2) == 2 << 28
        assert "OutOfMemoryError" in box.raised_by("take", 6).mro
        with pytest.raises(BoxDied) as caught:
            box.call("lift", 6, timeout_s=LONG_S)
        assert caught.value.cause.kind == "gpu_memory"
    finally:
        box.client.close()
        box.client._output._thread.join(LONG_S)
