"""Sealed boxes and the zygotes they are forked from: what is warm, whose fault it is, what each layer is there for."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import psutil
import pytest

from autograder.box import backends, init, restrict, seal, sealed, zygote, zygotes
from autograder.box.causes import BoxDied, Cause
from autograder.box.seal import Layer
from autograder.limits import Limits
from autograder.results import Status
from tests.box.conftest import opened_as, sealed_only
from tests.box.test_attacks import FOLDER, Target, open_box, outcome, target

__all__ = ["target"]  # a fixture

ROOT = Path(__file__).resolve().parents[2]
LONG_S = 60.0

pytestmark = sealed_only

ONE = "def one(): return 1"


@pytest.fixture
def opened() -> Iterator[Any]:
    """Opens boxes with a module of the given source; they are closed after the test."""
    yield from opened_as("namespaces")


# --- warm and cold are the same ---------------------------------------------------------------------------------------

TRAININGS = {
    "numpy": """
        import numpy as np
        def train(seed=0):
            x, w = np.random.rand(500, 500), np.random.rand(500, 500)
            for _ in range(3): w = w - 1e-4 * (x.T @ (x @ w))
            return [w, np.linalg.qr(w)[0], np.linalg.svd(w[:80, :80])[1]]
    """,
    "torch": """
        import torch
        def train(seed=0):
            nn = torch.nn
            model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5408, 10))
            optimizer = torch.optim.Adam(model.parameters())
            x, y = torch.randn(128, 1, 28, 28), torch.randint(0, 10, (128,))
            for _ in range(5):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
            return [p.detach() for p in model.parameters()]
    """,
    "tensorflow": """
        import numpy as np, tensorflow as tf
        def train(seed=0):
            layers = tf.keras.layers
            model = tf.keras.Sequential([layers.Input((28, 28, 1)), layers.Conv2D(4, 3, activation="relu"),
                                         layers.Flatten(), layers.Dense(10)])
            model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            x, y = np.random.rand(128, 28, 28, 1), np.random.randint(0, 10, 128)
            model.fit(x, y, batch_size=32, epochs=2, verbose=0)
            return model.get_weights()
    """,
}


@pytest.mark.parametrize(
    "name", ["numpy", *(pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("torch", "tensorflow"))]
)
@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.ci)])
def test_a_training_gives_the_same_bits_forked_from_a_zygote_as_in_a_fresh_process(opened, name, threads):
    if name == "numpy" and threads > len(os.sched_getaffinity(0)):
        pytest.skip("a fresh process has numpy's library start no more threads than there are cores")
    frameworks = () if name == "numpy" else (name,)
    seen = []
    for isolation in ("process", "namespaces", "namespaces"):
        box = opened(TRAININGS[name], frameworks, isolation, threads=threads)
        weights = box.call("train", seed_=3)
        seen.append([hashlib.sha256(array.tobytes()).hexdigest() for array in weights])
        assert box.loaded().environment.threads == threads
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("threads", [1, 3])
def test_numpy_computes_with_the_threads_asked_for(opened, threads):
    source = """
        import ctypes, os
        import numpy as np
        from autograder.box.seal import loaded_libraries
        def count():
            np.ones((600, 600)) @ np.ones((600, 600))
            return [len(os.listdir("/proc/self/task")), os.environ["OPENBLAS_NUM_THREADS"]]
    """
    box = opened(source, threads=threads)
    counted, told = box.call("count")
    assert told == str(threads)
    if "openblas" in str(__import__("numpy").show_config("dicts")):
        assert counted == threads


# --- ordinary code ----------------------------------------------------------------------------------------------------


def test_what_lessons_do_works(opened):
    box = opened(
        """
        import datetime, json, os, pathlib, tempfile, threading, time, zoneinfo
        from concurrent.futures import ThreadPoolExecutor
        def work():
            home = pathlib.Path.home()
            (home / "model.json").write_text(json.dumps([1]))
            pathlib.Path("/dev/shm/x").write_text("shared")
            with tempfile.NamedTemporaryFile() as file: file.write(b"x")
            with ThreadPoolExecutor(4) as pool: squares = list(pool.map(lambda x: x * x, range(10)))
            noon = datetime.datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Asia/Shanghai"))
            return [str(home), sum(squares), str(noon.utcoffset()), os.environ["HOME"], os.path.expanduser("~")]
        """
    )
    assert box.call("work") == ["/scratch/home", 285, "8:00:00", "/scratch/home", "/scratch/home"]


@pytest.mark.torch
def test_torch_saves_loads_and_runs_compiled_functions_eagerly(opened):
    box = opened(
        """
        import torch
        def work():
            model = torch.nn.Linear(3, 2)
            torch.save(model.state_dict(), "model.pt")
            again = torch.nn.Linear(3, 2)
            again.load_state_dict(torch.load("model.pt", weights_only=True))
            compiled = torch.compile(again)
            loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 3)), batch_size=4)
            return float(sum((compiled(x) - model(x)).abs().sum() for (x,) in loader))
        """,
        ("torch",),
    )
    assert box.call("work") == 0.0


@pytest.mark.torch
@pytest.mark.parametrize("processes", [0, 4])
def test_a_data_loader_has_workers_where_the_assignment_allows_processes(opened, processes):
    box = opened(
        """
        import torch
        def work():
            data = torch.utils.data.TensorDataset(torch.arange(8.0))
            return sum(float(x.sum()) for (x,) in torch.utils.data.DataLoader(data, batch_size=2, num_workers=2))
        """,
        ("torch",),
        processes=processes,
    )
    if processes:
        assert box.call("work") == 28.0
    else:
        assert box.raised_by("work").type_name == "PermissionError"


def test_matplotlib_draws(opened):
    pytest.importorskip("matplotlib")
    box = opened(
        """
        import os
        def work():
            import matplotlib.pyplot as plt
            plt.plot([1, 2]); plt.savefig("plot.png"); plt.show()
            return os.path.getsize("plot.png") > 1000
        """
    )
    assert box.call("work") is True


# --- whose fault ------------------------------------------------------------------------------------------------------


def test_after_a_zygote_has_ended_the_next_box_has_a_new_one(opened, until):
    box = opened(ONE, threads=7)
    assert box.call("one") == 1
    (zygote,) = [one for key, one in zygotes._zygotes.items() if key.threads == 7]
    zygote._process.kill()
    zygote._process.wait()
    assert until(lambda: not box.client.alive)
    assert box.client.died().cause.status is Status.INTERNAL  # the box was killed, but not for anything it did
    assert opened(ONE, threads=7).call("one") == 1


def test_a_box_of_a_zygote_that_was_replaced_meanwhile_is_our_fault(opened, until):
    box = opened(ONE, threads=8)
    assert box.call("one") == 1
    (zygote,) = [one for key, one in zygotes._zygotes.items() if key.threads == 8]
    zygote._process.kill()
    assert until(lambda: not zygote.alive)
    assert opened(ONE, threads=8).call("one") == 1
    assert until(lambda: not box.client.alive)
    assert box.client.died().cause.status is Status.INTERNAL


def test_a_zygote_that_can_not_start_is_our_fault_and_says_why(opened, monkeypatch):
    monkeypatch.setattr(zygotes, "_START", "raise SystemExit('made-up reason')")
    box = opened(ONE, threads=6)
    with pytest.raises(BoxDied) as caught:
        box.loaded()
    assert caught.value.cause.status is Status.INTERNAL
    assert "made-up reason" in caught.value.cause.detail
    zygotes._zygotes.pop(zygotes.Key((), 6, cpu_only=True)).close()


def test_a_zygote_that_does_not_answer_is_our_fault(opened, monkeypatch):
    monkeypatch.setattr(zygotes, "_START", "import time; time.sleep(600)")
    box = opened(ONE, threads=9, import_s=0.5)
    with pytest.raises(BoxDied) as caught:
        box.loaded()
    assert caught.value.cause == Cause(Status.INTERNAL, "seal", "the zygote has not answered yet")
    hung = zygotes._zygotes.pop(zygotes.Key((), 9, cpu_only=True))
    hung._process.kill()
    hung.close()


def test_security_a_layer_that_can_not_be_made_is_our_fault_and_no_student_code_runs(opened, monkeypatch):
    request_for = sealed.request_for

    def without_quota(*arguments: Any, **named: Any) -> seal.SealRequest:
        return msgspec.structs.replace(request_for(*arguments, **named), files=-1)

    monkeypatch.setattr(sealed, "request_for", without_quota)
    box = opened("print('student code')\n" + ONE)
    with pytest.raises(BoxDied) as caught:
        box.loaded()
    assert caught.value.cause.status is Status.INTERNAL
    assert "mount" in caught.value.cause.detail
    assert box.client.take_output() == ""


def test_security_descriptors_that_come_with_a_message_are_not_inherited():
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with pair[0], pair[1]:
        socket.send_fds(pair[0], [b"one"], [pair[0].fileno()])
        _, (number,) = zygote.receive(pair[1])
        assert not os.get_inheritable(number)
        os.close(number)


def test_security_an_init_that_ends_with_a_question_unread_has_told_how(monkeypatch):
    """Nobody's attempt is our fault because its box ended in the moment that something was asked of it."""

    def exit_told():
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = sealed.SealedProcess(ours, SimpleNamespace(ends_within=lambda timeout_s: False))
        theirs.send(init.EXITED + init.NUMBER.pack(7))
        process._say(init.ASK)
        theirs.close()
        try:
            return process.poll(), process.members(), process.room()
        finally:
            process.close()

    assert exit_told() == (7, [], None)
    monkeypatch.setattr(sealed, "receive", lambda sock: (sock.recv(100), []))
    with pytest.raises(ConnectionResetError):  # the kernel tells that first
        exit_told()


def test_security_a_box_that_is_forked_while_it_is_given_up_is_killed():
    """Between the judge's last look and its end of the line: nobody else would know of the box."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = sealed.SealedProcess(ours, SimpleNamespace(ends_within=lambda timeout_s: False))
    box = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    class Forked(socket.socket):
        def shutdown(self, how: int) -> None:
            pidfd = os.pidfd_open(box.pid)
            zygote.send_descriptor(theirs.fileno(), seal.STARTED, pidfd)
            os.close(pidfd)
            super().shutdown(how)

    process._status = Forked(fileno=ours.detach())
    with theirs, box:
        process.kill()
        process.close()
        theirs.close()
        assert box.stdin is not None
        box.stdin.close()
    assert box.returncode == -signal.SIGKILL


def test_security_a_forked_process_keeps_no_zygote_alive(opened):
    """It has copies of what zygotes are held by; one that it keeps would outlive the judge, with all of its boxes."""
    assert opened(ONE).call("one") == 1
    held = list(zygotes._zygotes.values())
    assert all(one.alive for one in held)
    pid = os.fork()
    if pid == 0:
        os._exit(len(zygotes._zygotes) + sum(one._control.fileno() >= 0 for one in held))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert all(one.alive for one in held)


def test_a_box_can_be_given_up_before_it_is_forked(opened, until):
    for _ in range(3):
        box = opened("while True: pass", threads=5)
        began = time.monotonic()
        box.client.close()
        assert time.monotonic() - began < LONG_S
        assert not box.client.alive
    (zygote,) = [one for key, one in zygotes._zygotes.items() if key.threads == 5]
    assert opened(ONE, threads=5).call("one") == 1
    stub = psutil.Process(zygote._process.pid)
    assert until(lambda: sum(map(_runs, stub.children(recursive=True))) == 3)  # the zygote, init and worker


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("kind", [zygote.Zygote, restrict.Zygote])
def test_security_a_zygote_outlives_a_judge_that_is_gone_when_it_is_refused_a_box(kind, monkeypatch):
    """Others have boxes in it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    monkeypatch.setattr(seal, "thread_count", lambda: 2)
    with theirs:
        with pytest.raises(BrokenPipeError):
            os.write(theirs.fileno(), b"one")  # as it would be without care
        kind._fork(object(), sealed.request_for(Limits(), ()), seal.Descriptors(0, 1, theirs.fileno(), ()))


def test_security_everything_in_a_box_is_in_its_group_and_the_groups_name_is_not_in_the_box(opened):
    box = opened("def groups(): return open('/proc/self/cgroup').read()")
    seen = box.call("groups")
    if box.client._running._group is None:
        pytest.skip("no control groups here")
    inits_and_workers = [Path(f"/proc/{one.pid}/cgroup").read_text() for one in box.client._running.process.members()]
    assert len(inits_and_workers) == 2
    assert all(f"/grade-box-{os.getpid()}-" in groups for groups in inits_and_workers)  # as the machine sees them
    assert "grade-box" not in seen  # it would tell the judge's number


# --- nothing is left --------------------------------------------------------------------------------------------------


def test_many_boxes_in_a_row_leave_nothing_behind(opened, until):
    def held() -> tuple[int, int, int]:
        gc.collect()
        ours = len(list(Path("/proc/self/fd").iterdir()))
        return ours, inner.num_fds(), len(inner.memory_maps(grouped=False))

    opened(ONE).call("one")
    plainest = zygotes.Key((), Limits().threads, cpu_only=True)
    (zygote,) = [one for key, one in zygotes._zygotes.items() if key == plainest]
    inner = psutil.Process(zygote._process.pid).children()[0]
    counts = []
    for _ in range(20):
        box = opened("import os\ndef write(): open('file', 'w').write('x' * 100000)")
        box.call("write")
        box.client.close()
        box.client._output._thread.join(LONG_S)
        counts.append(held())
    # The zygote lets go of a box a moment after it is gone. Compared with the tenth: what is opened once stays open.
    assert until(lambda: all(now <= then for now, then in zip(held(), counts[9], strict=True))), (held(), counts)


JUDGE = """
    import sys
    from autograder.box.client import BoxClient
    from autograder.box.spec import BoxSpec
    client = BoxClient(BoxSpec({"answer.py": b"def one(): return 1"}, "answer.py", (), isolation="namespaces"))
    client.loaded()
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_security_zygote_and_boxes_end_with_a_judge_that_is_killed(until):
    command = [sys.executable, "-c", textwrap.dedent(JUDGE)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as judge:
        assert judge.stdout is not None
        assert judge.stdout.readline() == b"ready\n"
        family = psutil.Process(judge.pid).children(recursive=True)
        assert len(family) == 4  # launcher, zygote, init, worker
        judge.kill()
    _, left = psutil.wait_procs(family, timeout=LONG_S)
    assert not left


# --- the zygote -------------------------------------------------------------------------------------------------------


def test_security_nothing_that_the_judge_knows_is_in_a_zygote(opened, monkeypatch):
    monkeypatch.setenv("GRADE_SECRET", "SECRET-" + "5" * 32)
    opened("HELD = 'SECRET-" + "6" * 32 + "'\n" + ONE, threads=4).call("one")
    box = opened((FOLDER / "own_memory.py").read_text(), threads=4)
    assert box.call("attack", {}) == {}


@pytest.mark.parametrize(
    ("name", "modules"), [("numpy", []), pytest.param("torch", ["torch"], marks=pytest.mark.torch)]
)
def test_security_no_module_of_the_judges_is_in_a_zygote(opened, name, modules):
    source = "import sys\nLOADED = sorted(sys.modules)\ndef loaded(): return LOADED"
    loaded = opened(source, tuple(modules)).call("loaded")
    ours = {name for name in loaded if name.startswith("autograder")}
    assert not {name for name in ours if not name.startswith("autograder.box")} - {"autograder"}
    assert not {
        "pytest",
        "pydantic",
        "psutil",
        "rich",
        "click",
        "autograder.box.client",
        "autograder.box.sealed",
    } & set(loaded)


# --- each layer's part ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attack", "without", "gained"),
    [
        ("network", {Layer.SECCOMP}, "AF_INET 1"),
        ("fork", {Layer.SECCOMP}, "fork"),
        ("run_programs", {Layer.SECCOMP}, "run"),
        ("namespaces", {Layer.SECCOMP}, "clone user"),
        ("memory_sysv", {Layer.SECCOMP}, "shared"),
        ("process_settings", {Layer.SECCOMP}, "dumpable"),
        ("mounts", {Layer.SECCOMP, Layer.LANDLOCK, Layer.CAPABILITIES, Layer.USER}, "tmpfs"),
        ("rights", {Layer.CAPABILITIES}, "CapEff"),
        ("init", {Layer.DUMPABLE, Layer.LANDLOCK}, "environ"),
        ("kernel_settings", {Layer.PROC, Layer.LANDLOCK}, "timer"),
        ("who_am_i", {Layer.PROC}, "processes"),
        ("thread_bomb", {Layer.RLIMITS}, "threads"),
    ],
)
def test_security_without_its_layers_an_attack_gains(target: Target, monkeypatch, attack, without, gained):
    """And with any of them it does not: test_attacks.py, where all are on; here, each put back alone."""
    for put_back in (None, *sorted(without)):
        off = tuple(sorted(without - {put_back}))
        monkeypatch.setattr(backends, "start", partial(sealed.start, without=off))
        box = open_box((FOLDER / f"{attack}.py").read_text(), "namespaces")
        try:
            came = outcome(box, target.facts)
        finally:
            box.client.close()
            box.client._output._thread.join(LONG_S)
        assert (gained in came.get("gains", {})) is (put_back is None), (put_back, came)


@pytest.mark.parametrize(("off", "held"), [((), 0), ((Layer.SECCOMP,), 100)])
def test_security_the_kernel_keeps_no_locks_that_nobody_counts(opened, monkeypatch, off, held):
    source = """
        import fcntl, os
        def lock():
            global file
            file = open("file", "w")
            for number in range(100): fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * number)
    """
    monkeypatch.setattr(backends, "start", partial(sealed.start, without=off))
    box = opened(source)
    box.call("lock")
    pids = {str(member.pid) for member in box.client._running.process.members()}
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    assert sum(not pids.isdisjoint(words) for words in locks) == held
