"""Spare boxes: each is used once, by nobody but whom it is right for, and is what a box forked on demand is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from autograder.box import backends, mounted, sealed
from autograder.box.backends import NAMESPACES
from autograder.box.client import BoxClient
from autograder.box.grant import Grant
from autograder.box.interpreter import ours
from autograder.box.nvml import Gpu
from autograder.box.seal import Layer
from autograder.box.sealed import Kind, kind_of
from autograder.box.spares import Spare, Spares
from autograder.box.spec import BoxSpec
from autograder.limits import Limits
from tests.box import audit
from tests.box.conftest import Driven, sealed_only
from tests.box.test_sealed import TRAININGS

ROOT = Path(__file__).resolve().parents[2]
LONG_S = 60.0

pytestmark = sealed_only

ONE = "def one(): return 1"


def spec_of(source: str = ONE, frameworks: tuple[str, ...] = (), **limits: Any) -> BoxSpec:
    files = {"answer.py": textwrap.dedent(source).encode()}
    return BoxSpec(files, "answer.py", frameworks, "cpu", Limits.model_validate(limits), isolation=NAMESPACES)


class Waiting:
    """Spares, and boxes that are made of them."""

    def __init__(self) -> None:
        self.spares = Spares()
        self.clients: list[BoxClient] = []

    def waiting(self, spec: BoxSpec) -> Spare:
        """Have a spare of the kind that is asked for wait, and return it: it stays where it is."""
        self.spares.keep(kind_of(spec))
        return self.spares._waiting[kind_of(spec)]

    def open(self, spec: BoxSpec, spare: Spare | None) -> Driven:
        self.clients.append(BoxClient(spec, spare and spare.give(spec)))
        return Driven(self.clients[-1])

    def open_spare(self, spec: BoxSpec) -> Driven:
        """Give a submission to a spare that has waited for it."""
        self.spares.keep(kind_of(spec))
        spare = self.spares.take(kind_of(spec))
        assert spare is not None
        rested(spare)
        box = self.open(spec, spare)
        assert box.client._running is spare.box
        return box


def rested(spare: Spare) -> None:
    """Wait until it waits: its worker, which is pid 2, sleeps and has rehearsed."""
    process = spare.box.process
    while len(members := process.members()) < 2 or members[-1].status() != psutil.STATUS_SLEEPING:
        assert process.poll() is None


@pytest.fixture
def spares() -> Iterator[Waiting]:
    made = Waiting()
    yield made
    made.spares.end()
    for client in made.clients:
        client.close()
        client._output._thread.join(LONG_S)


# --- each is used once ------------------------------------------------------------------------------------------------


def test_security_no_two_submissions_share_a_spare(spares):
    source = "import os\nseen = []\ndef see(x):\n    seen.append(x)\n    return [os.getpid(), seen, os.listdir('.')]"
    boxes = [spares.open_spare(spec_of(source)) for _ in range(3)]
    assert [box.call("see", number) for number, box in enumerate(boxes)] == [
        [2, [number], ["answer.py"]] for number in range(3)
    ]
    pids = {box.client._running.process.members()[-1].pid for box in boxes}
    assert len(pids) == 3


def test_one_of_each_kind_waits_and_who_takes_it_leaves_none(spares):
    spec, other = spec_of(), spec_of(memory_mb=512)
    first, second = spares.waiting(spec), spares.waiting(other)
    assert spares.waiting(spec) is first  # there is one
    assert spares.spares.take(kind_of(spec)) is first
    assert spares.spares.take(kind_of(spec)) is None
    assert spares.spares.take(kind_of(other)) is second
    for spare in (first, second):
        spare.end()


def test_a_spare_that_was_killed_while_it_waited_is_not_given_and_is_replaced(spares, until):
    spec = spec_of()
    killed = spares.waiting(spec)
    rested(killed)
    killed.box.process.members()[-1].kill()
    assert until(lambda: not killed.alive)
    assert killed.give(spec) is None
    another = spares.waiting(spec)
    assert another is not killed
    assert spares.open(spec, spares.spares.take(kind_of(spec))).call("one") == 1
    another = spares.waiting(spec)
    another.box.kill()
    assert until(lambda: not another.alive)
    assert spares.spares.take(kind_of(spec)) is None


def test_a_spare_of_another_kind_is_not_taken_and_ends(spares):
    spare = spares.waiting(spec_of(memory_mb=512))
    box = spares.open(
        spec_of(
            "import resource\ndef limit(): return resource.getrlimit(resource.RLIMIT_DATA)[0] >> 20", memory_mb=2048
        ),
        spare,
    )
    assert box.client._running is not spare.box
    assert 2048 <= box.call("limit") < 2560
    assert not spare.alive


def test_none_waits_with_a_gpu(spares):
    # It would hold some of the memory.
    spec = spec_of()
    kind = kind_of(spec)
    spares.spares.keep(kind._replace(request=msgspec.structs.replace(kind.request, gpus="GPU-1")))
    assert not spares.spares._waiting


# --- which are of one kind --------------------------------------------------------------------------------------------

BASE = spec_of(box_cpu_s=60)
OTHERS = {
    "framework": replace(BASE, frameworks=("torch",)),
    "device": replace(BASE, device="auto"),
    "threads": replace(BASE, limits=Limits(box_cpu_s=60, threads=2)),
    "python": replace(BASE, python=replace(ours(), executable="/elsewhere/python")),
    "memory": replace(BASE, limits=Limits(box_cpu_s=60, memory_mb=512)),
    "cpu": replace(BASE, limits=Limits(box_cpu_s=5)),
    "file": replace(BASE, limits=Limits(box_cpu_s=60, file_mb=5)),
    "disk": replace(BASE, limits=Limits(box_cpu_s=60, disk_mb=5)),
    "files": replace(BASE, limits=Limits(box_cpu_s=60, files=64)),
    "processes": replace(BASE, limits=Limits(box_cpu_s=60, processes=2)),
    "dataset": replace(BASE, datasets={mounted.KNOWN[0].name: Path("/data")}),
    "place of a dataset": replace(BASE, datasets={mounted.KNOWN[0].name: Path("/elsewhere")}),
    "other dataset": replace(BASE, datasets={mounted.KNOWN[1].name: Path("/data")}),
    "GPU": replace(BASE, device="cuda", grant=Grant((Gpu("GPU-1", 0, "made up", 1 << 30),))),
}


def test_all_that_is_different_between_boxes_makes_another_kind():
    kinds: list[Kind] = [kind_of(BASE), *map(kind_of, OTHERS.values()), kind_of(BASE, (Layer.PROC,))]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize(
    "same",
    [
        replace(BASE, files={"other.py": b"x = 1"}, main="other.py", notebook=True, cells=(1,), show_cells=True),
        replace(
            BASE, limits=Limits(box_cpu_s=60, call_s=1, import_s=1, training_s=1, attempt_s=1, output_mb=1)
        ),  # the judge's own
    ],
)
def test_what_a_box_is_told_with_the_submission_does_not(same):
    assert kind_of(same) == kind_of(BASE)


# --- it is what others are --------------------------------------------------------------------------------------------


def test_all_that_can_be_seen_of_its_wait_is_time(spares):
    source = """
        import os, random, sys, warnings
        import numpy as np
        def seen():
            files = [[at, sorted(below), sorted(files)] for at, below, files in os.walk("/scratch")]
            names = [name for name in sys.modules if name.startswith(("submission", "answer", "rehears"))]
            hooks = [str(type(finder)) for finder in sys.meta_path]
            return [files, names, sys.path, hooks, len(os.listdir("/proc/self/fd")), warnings.showwarning.__module__]
        def draw(): return [random.random(), np.random.rand()]
    """
    boxes = [spares.open(spec_of(source), None), spares.open_spare(spec_of(source))]
    seen = [[box.call("seen"), box.call("draw", seed_=5)] for box in boxes]
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "name",
    [
        "numpy",
        pytest.param("torch", marks=pytest.mark.torch),
        pytest.param("tensorflow", marks=[pytest.mark.tensorflow, pytest.mark.ci]),
    ],
)
def test_a_training_gives_the_same_bits_in_a_spare(spares, name):
    """Forked ones are compared with fresh processes in test_sealed.py, with one thread and two."""
    spec = spec_of(TRAININGS[name], () if name == "numpy" else (name,))
    weights = [box.call("train", seed_=3) for box in (spares.open(spec, None), spares.open_spare(spec))]
    assert [array.tobytes() for array in weights[0]] == [array.tobytes() for array in weights[1]]


SEEN_BY_ALL_LAYERS = ("Rights", "Limits", "Mounts", "Processes")


@pytest.fixture
def audited(spares: Waiting, monkeypatch: pytest.MonkeyPatch) -> Any:
    def open_spare(*without: Layer) -> Driven:
        monkeypatch.setattr(backends, "start", partial(sealed.start, without=without))  # another, to compare with
        spec = BoxSpec({"audited.py": audit.SOURCE}, "audited.py", (), "cpu", audit.LIMITS, isolation=NAMESPACES)
        kind = kind_of(spec, without)
        spare = Spare(kind, sealed.fork(kind))
        rested(spare)
        spares.clients.append(BoxClient(spec, spare.box))
        return Driven(spares.clients[-1])

    return open_spare


def test_security_a_spare_has_every_layer_that_the_page_tells_of(audited):
    page = (ROOT / "docs" / "box-audit.md").read_text(encoding="utf-8")
    box = audited()
    for heading in SEEN_BY_ALL_LAYERS:
        assert audit.section(box, heading).rstrip("\n") + "\n" in page, heading


@pytest.mark.parametrize(
    ("without", "heading"),
    [(Layer.SECCOMP, "Rights"), (Layer.CAPABILITIES, "Rights"), (Layer.NETWORK, "Rights"), (Layer.RLIMITS, "Limits"),
     (Layer.PROC, "Mounts")],
)  # fmt: skip
def test_a_layer_that_a_spare_lacks_would_be_seen(audited, without, heading):
    page = (ROOT / "docs" / "box-audit.md").read_text(encoding="utf-8")
    assert audit.section(audited(without), heading).rstrip("\n") + "\n" not in page


# --- none is left -----------------------------------------------------------------------------------------------------


def test_security_spares_end_with_whoever_keeps_them(spares):
    kept = [spares.waiting(spec_of()), spares.waiting(spec_of(memory_mb=512))]
    members = [member for spare in kept if not rested(spare) for member in spare.box.process.members()]
    assert len(members) == 4
    spares.spares.end()
    assert not any(spare.alive for spare in kept)
    assert not psutil.wait_procs(members, timeout=LONG_S)[1]


def test_security_a_process_that_was_forked_keeps_no_spare_of_another_alive(spares, until):
    """It has copies of what a box is held by; and that it lets go of them ends nobody's box."""
    spare = spares.waiting(spec_of())
    rested(spare)
    goes_on, gate = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(gate)
        spares.spares.disown()
        os.read(goes_on, 1)
        os._exit(0)
    try:
        members = spare.box.process.members()
        assert spares.open(spec_of(), spares.spares.take(kind_of(spec_of()))).call("one") == 1
        spare.box.let_go()
        assert until(lambda: not any(map(psutil.Process.is_running, members)))
    finally:
        os.close(gate)
        os.waitpid(pid, 0)
        os.close(goes_on)
        spares.clients.clear()


JUDGE = """
    import sys
    from autograder.box.spec import BoxSpec
    from autograder.box.sealed import kind_of
    from autograder.box.spares import Spares
    spares = Spares()
    kind = kind_of(BoxSpec({}, "", (), isolation="namespaces"))
    spares.keep(kind)
    process = spares._waiting[kind].box.process
    while len(process.members()) < 2: pass
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [True, False])
def test_security_no_spare_outlives_its_judge(killed):
    command = [sys.executable, "-c", textwrap.dedent(JUDGE)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as judge:
        assert judge.stdout is not None
        assert judge.stdin is not None
        assert judge.stdout.readline() == b"ready\n"
        family = psutil.Process(judge.pid).children(recursive=True)
        assert len(family) == 4  # launcher, zygote, init, worker
        if killed:
            judge.kill()
        else:
            judge.stdin.close()
    _, left = psutil.wait_procs(family, timeout=LONG_S)
    assert not left
