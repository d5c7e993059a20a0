"""What ordinary homework code does besides training works in every box: files, threads, time zones, plots, text.

Most of it is asked of one box for each backend, as one student's file would; what is refused says so in words.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.box.advice import EAGER_COMPILE
from autograder.box.backends import BWRAP, NAMESPACES, PROCESS, RESTRICTED
from autograder.judge.hints import hint_for
from autograder.messages import text
from tests.box.conftest import BACKENDS

if TYPE_CHECKING:
    from tests.box.conftest import Driven, Opener

# Each function returns what it should, or raises.
PYTHON = '''
"""A module with everything in it."""
import asyncio, concurrent.futures, contextlib, csv, dataclasses, datetime, functools, glob, gzip, inspect, io, json
import locale, logging, lzma, math, os, pathlib, pickle, platform, queue, random, re, secrets, shutil, sqlite3, sys
import tempfile, threading, time, timeit, typing, uuid, warnings, zipfile, zoneinfo
import numpy as np
import sibling

def threads():
    done = queue.Queue()
    workers = [threading.Thread(target=done.put, args=(n,)) for n in range(8)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    with concurrent.futures.ThreadPoolExecutor(4) as pool: squares = list(pool.map(lambda n: n * n, range(5)))
    return [sorted(done.get() for _ in range(8)), squares]

def numpy_threads():
    product = np.ones((400, 400)) @ np.ones((400, 400))
    return float(product.sum())

def home():
    path = pathlib.Path.home() / "results"
    path.mkdir()
    (path / "log.txt").write_text("one")
    return [pathlib.Path("~/results/log.txt").expanduser().read_text(), os.path.expanduser("~") == os.environ["HOME"]]

def temporary():
    with tempfile.NamedTemporaryFile("w+", suffix=".txt") as file:
        file.write("two"); file.flush()
        named = pathlib.Path(file.name).read_text()
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "x").write_text("three")
        return [named, os.listdir(folder), os.path.isdir(tempfile.mkdtemp())]

def arrays():
    rng = np.random.default_rng(0)
    x = rng.random((3, 4))
    os.makedirs("checkpoints", exist_ok=True)
    for folder in (".", "checkpoints", os.path.expanduser("~"), tempfile.gettempdir()):
        np.savez(os.path.join(folder, "weights.npz"), x=x)
        np.save(os.path.join(folder, "x.npy"), x)
        np.savetxt(os.path.join(folder, "x.csv"), x, delimiter=",")
        with np.load(os.path.join(folder, "weights.npz")) as came:
            assert (came["x"] == x).all()
    return (np.load("x.npy", mmap_mode="r") == x).all() and np.allclose(np.loadtxt("x.csv", delimiter=","), x)

def files():
    with open("notes.txt", "w", encoding="utf-8") as file: print("损失 0.5", file=file)
    pathlib.Path("a/b").mkdir(parents=True)
    shutil.copy("notes.txt", "a/b/copy.txt")
    os.rename("a/b/copy.txt", "a/b/笔记.txt")
    found = [str(path) for path in pathlib.Path(".").rglob("*.txt")] + glob.glob("a/*/*.txt")
    shutil.rmtree("a")
    return sorted(found)

def handed_in():
    here = pathlib.Path(__file__).parent
    by_file = (here / "table.csv").read_text()
    by_folder = open("table.csv").read()
    rows = list(csv.reader(io.StringIO(by_folder)))
    return [by_file == by_folder, rows, sibling.NAME, sorted(path.name for path in here.glob("t*.csv"))]

def archives():
    with zipfile.ZipFile("all.zip", "w", zipfile.ZIP_DEFLATED) as archive: archive.writestr("x.txt", "x" * 1000)
    with gzip.open("x.gz", "wt") as file: file.write("y" * 1000)
    with lzma.open("x.xz", "wt") as file: file.write("z" * 1000)
    shutil.make_archive("folder", "zip", ".", "table.csv")
    with zipfile.ZipFile("all.zip") as archive: first = archive.read("x.txt").decode()[:1]
    return [first, gzip.open("x.gz", "rt").read(1), lzma.open("x.xz").read(1)]

def objects():
    pickle.dump({"epoch": 3}, open("state.pkl", "wb"))
    json.dump({"loss": [0.5, 0.25]}, open("history.json", "w"))
    return [pickle.load(open("state.pkl", "rb"))["epoch"], json.load(open("history.json"))["loss"]]

def database():
    with contextlib.closing(sqlite3.connect("runs.db")) as connection, connection:
        connection.execute("create table runs (seed integer, loss real)")
        connection.executemany("insert into runs values (?, ?)", [(0, 0.5), (1, 0.25)])
    with contextlib.closing(sqlite3.connect("runs.db")) as connection:
        return connection.execute("select min(loss) from runs").fetchone()[0]

def time_zones():
    moment = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.timezone.utc)
    shown = [moment.astimezone(zoneinfo.ZoneInfo(zone)).hour for zone in ("Asia/Shanghai", "Europe/Berlin")]
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"; time.tzset()
    shown.append(datetime.datetime.fromtimestamp(0).hour)
    os.environ.pop("TZ") if before is None else os.environ.__setitem__("TZ", before)
    time.tzset()
    datetime.datetime.now().astimezone().strftime("%Z"); time.localtime()
    return shown

def clocks():
    began, counter = time.monotonic(), time.perf_counter()
    time.sleep(0.01)
    return [time.monotonic() - began >= 0.01, time.perf_counter() > counter, time.process_time() > 0,
            timeit.timeit("1 + 1", number=10) >= 0, time.thread_time_ns() >= 0]

def chance():
    random.seed(1); first = random.random()
    random.seed(1)
    return [first == random.random(), uuid.uuid4() != uuid.uuid4(), len(secrets.token_hex(8)), len(os.urandom(8)),
            uuid.uuid1() is not None]

def asynchronous():
    async def twice(n):
        await asyncio.sleep(0.001)
        return 2 * n
    async def both(): return await asyncio.gather(twice(1), twice(2))
    return asyncio.run(both())

@dataclasses.dataclass
class Config:
    rate: float = 0.1
    sizes: typing.List[int] = dataclasses.field(default_factory=list)

def introspection():
    source = inspect.getsource(threads)
    return [dataclasses.asdict(Config()), source.startswith("def threads"), __name__ != "__main__", __doc__[:8],
            typing.get_type_hints(Config)["rate"].__name__, inspect.getsource(Config).startswith("@dataclasses")]

def mapped():
    import mmap
    with mmap.mmap(-1, 4096) as memory:
        memory[:2] = b"ab"
        return memory[:2]

def shared_memory():
    from multiprocessing import shared_memory
    made = shared_memory.SharedMemory(create=True, size=100)
    try:
        made.buf[0] = 3
        other = shared_memory.SharedMemory(made.name)
        value = other.buf[0]
        other.close()
        return value
    finally: made.close(); made.unlink()

def dev_shm():
    path = pathlib.Path("/dev/shm/grade-test-of-a-box")
    path.write_bytes(b"1")
    path.unlink()
    return True


def says():
    print("准确率 97.5 % ✓"); print("loss", 0.5, file=sys.stderr)
    logging.basicConfig(level=logging.INFO); logging.getLogger("train").info("epoch 1 损失")
    logging.FileHandler("train.log", encoding="utf-8").close()
    with warnings.catch_warnings(): warnings.simplefilter("ignore"); warnings.warn("once")
    warnings.warn("a warning of the student's")
    print("\\r 10%", end="", flush=True); sys.stdout.flush(); print()
    captured = io.StringIO()
    with contextlib.redirect_stdout(captured): print("quiet")
    return [captured.getvalue(), sys.stdout.encoding.lower(), locale.getpreferredencoding(False).lower()]

def machine():
    return [os.cpu_count() >= 1, bool(platform.system()), bool(platform.node()), sys.version_info >= (3, 9),
            os.getcwd() == str(pathlib.Path().resolve()), bool(os.getpid()), len(sys.argv) <= 1,
            shutil.disk_usage(".").free > 0, bool(platform.processor() or platform.machine())]

def who():
    import getpass
    return [bool(getpass.getuser())]

def cached():
    @functools.lru_cache(None)
    def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
    return [fibonacci(80), sys.getrecursionlimit() >= 1000]

def deep():
    sys.setrecursionlimit(20_000)
    def down(n): return 0 if n == 0 else 1 + down(n - 1)
    return down(5000)

def asks_input(): return input("name? ")
def asks_no_address():
    import urllib.request
    return urllib.request.urlopen("http://127.0.0.1:9/x", timeout=1)
def asks_no_name():
    import urllib.request
    return urllib.request.urlopen("http://data.invalid/x", timeout=1)
def asks_requests():
    import requests
    return requests.get("https://data.invalid/x", timeout=1)
def asks_connects():
    import socket
    return socket.create_connection(("127.0.0.1", 9), 1)
'''
FILES = {"sibling.py": "NAME = 'sibling'", "table.csv": "x,y\n1,2\n"}
EXPECTED: dict[str, Any] = {
    "threads": [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 4, 9, 16]],
    "numpy_threads": 400.0**3,
    "home": ["one", True],
    "temporary": ["two", ["x"], True],
    "arrays": True,
    "files": ["a/b/笔记.txt", "a/b/笔记.txt", "notes.txt"],
    "handed_in": [True, [["x", "y"], ["1", "2"]], "sibling", ["table.csv"]],
    "archives": ["x", "y", b"z"],
    "objects": [3, [0.5, 0.25]],
    "database": 0.25,
    "time_zones": [20, 14, 9],
    "clocks": [True] * 5,
    "chance": [True, True, 16, 8, True],
    "asynchronous": [2, 4],
    "introspection": [{"rate": 0.1, "sizes": []}, True, True, "A module", "float", True],
    "mapped": b"ab",
    "shared_memory": 3,
    "dev_shm": True,
    "says": ["quiet\n", "utf-8", "utf-8"],
    "machine": [True] * 9,
    "who": [True],
    "cached": [23416728348467685, True],
    "deep": 5000,
}


@pytest.fixture(scope="module")
def student(module_opener: Opener) -> Driven:
    return module_opener(PYTHON, files=FILES)


@pytest.mark.parametrize("name", EXPECTED)
def test_ordinary_python(backend: str, student: Driven, name: str):
    if backend == RESTRICTED and name in {"shared_memory", "dev_shm"}:
        pytest.skip("a restricted box sees the machine's /dev/shm, and may not use it")
    if backend == PROCESS and name == "dev_shm" and not Path("/dev/shm").is_dir():
        pytest.skip("this system has no /dev/shm")
    assert student.call(name) == EXPECTED[name]


@pytest.mark.parametrize("name", ["input", "no_address", "no_name", "connects", "requests"])
def test_what_cannot_be_had_is_told_with_what_to_do(student: Driven, name: str):
    if name == "requests" and importlib.util.find_spec("requests") is None:
        pytest.skip("requests is not installed")
    hint = hint_for(student.raised_by(f"asks_{name}"))
    assert hint == text("hint.input" if name == "input" else "hint.no_network")


def test_what_is_printed_is_kept(student: Driven):
    student.client.take_output()
    student.call("says")
    said = student.client.take_output()
    for part in (
        "准确率 97.5 % ✓",
        "loss 0.5",
        "INFO:train:epoch 1 损失",
        "UserWarning: a warning of the student's",
        "10%",
    ):
        assert part in said


# --- processes --------------------------------------------------------------------------------------------------------

PARALLEL = """
import concurrent.futures, multiprocessing
def square(n): return n * n
def pool(method=None):
    with multiprocessing.get_context(method).Pool(2) as pool: return pool.map(square, range(4))
def executor():
    with concurrent.futures.ProcessPoolExecutor(2) as pool: return list(pool.map(square, range(4)))
def process():
    queue = multiprocessing.Queue()
    one = multiprocessing.Process(target=queue.put, args=(1,))
    one.start()
    one.join()
    return queue.get()
def manager():
    with multiprocessing.Manager() as manager:
        kept = manager.dict(x=1)
        return kept["x"]
"""


@pytest.fixture(scope="module")
def parallel(backend: str, module_opener: Opener) -> Driven:
    if backend == RESTRICTED:
        pytest.skip("a restricted box is one process")
    return module_opener(PARALLEL, processes=4)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are not forked by default")
def test_processes_where_the_assignment_allows_them(parallel: Driven):
    assert parallel.call("pool") == parallel.call("executor") == [0, 1, 4, 9]
    assert (parallel.call("process"), parallel.call("manager")) == (1, 1)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("backend", sorted({*BACKENDS} & {NAMESPACES, BWRAP}), indirect=True)
def test_in_a_sealed_box_every_way_to_start_processes_is_to_fork(parallel: Driven, method: str):
    assert parallel.call("pool", method) == [0, 1, 4, 9]


# --- frameworks -------------------------------------------------------------------------------------------------------

TORCH = """
import os, tempfile
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

def saves():
    model = nn.Linear(3, 2)
    for folder in (".", os.path.expanduser("~"), tempfile.gettempdir()):
        path = os.path.join(folder, "model.pt")
        torch.save(model.state_dict(), path)
        other = nn.Linear(3, 2)
        other.load_state_dict(torch.load(path))
        assert torch.equal(model.weight, other.weight)
    torch.save(model, "whole.pt")
    return type(torch.load("whole.pt", weights_only=False)).__name__

def threads():
    a = torch.rand(600, 600)
    for _ in range(3): a = torch.tanh(a @ a.T / 600)
    return [torch.get_num_threads(), len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 2]

def compiles():
    @torch.compile
    def double(x): return 2 * x
    @torch.compile(mode="max-autotune")
    def triple(x): return 3 * x
    model = nn.Linear(3, 2)
    compiled = torch.compile(model, fullgraph=True)
    return [double(torch.ones(2)).tolist(), triple(torch.ones(2)).tolist(), list(compiled.state_dict())]

def batches(workers):
    data = TensorDataset(torch.arange(8.0), torch.arange(8))
    return sorted(int(y) for _, ys in DataLoader(data, 2, shuffle=True, num_workers=workers) for y in ys)
"""


@pytest.mark.torch
def test_ordinary_torch(backend: str, open_box: Opener):
    processes = 0 if backend == RESTRICTED else 2
    student = open_box(TORCH, frameworks=("torch",), device="cpu", processes=processes, threads=2)
    assert student.call("saves") == "Linear"
    threads, there = student.call("threads")
    assert threads == 2
    assert there >= 2
    student.client.take_advice()
    assert student.call("compiles") == [[2.0, 2.0], [3.0, 3.0], ["weight", "bias"]]
    _, notes = student.client.take_advice()
    assert [(note.kind, note.times) for note in notes] == [(EAGER_COMPILE, 3)]
    for workers in (0, processes):
        assert student.call("batches", workers) == list(range(8))


KERAS = """
import os, tempfile
import numpy as np
import tensorflow as tf
from tensorflow import keras

X, Y = np.random.default_rng(0).random((64, 4), np.float32), np.arange(64) % 3
def train():
    layers = [keras.layers.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    kept = [keras.callbacks.ModelCheckpoint("best.keras"), keras.callbacks.CSVLogger("log.csv")]
    history = model.fit(X, Y, epochs=2, validation_split=0.25, callbacks=kept)
    for folder in (".", os.path.expanduser("~"), tempfile.gettempdir()):
        model.save(os.path.join(folder, "m.keras"))
        model.save_weights(os.path.join(folder, "m.weights.h5"))
        keras.models.load_model(os.path.join(folder, "m.keras"))
    model.export("saved")
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(64).batch(8).prefetch(tf.data.AUTOTUNE)
    model.fit(batches, epochs=1, verbose=0)
    return [sorted(history.history), os.path.exists("best.keras"), "saved_model.pb" in os.listdir("saved")]
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize("backend", sorted({*BACKENDS} & {NAMESPACES, RESTRICTED, PROCESS}), indirect=True)
def test_ordinary_keras(open_box: Opener):
    student = open_box(KERAS, frameworks=("tensorflow",), device="cpu")
    assert student.call("train") == [["accuracy", "loss", "val_accuracy", "val_loss"], True, True]


PLOTS = """
import matplotlib
matplotlib.use("TkAgg")
import matplotlib.pyplot as plt
import os
def plots():
    plt.ion(); plt.plot([1, 2]); plt.title("loss"); plt.pause(0.01); plt.show(); plt.savefig("loss.png")
    figure, axes = plt.subplots(); axes.imshow([[0, 1], [1, 0]]); figure.show(); plt.show(block=True); plt.close("all")
    return os.path.getsize("loss.png") > 0
"""


@pytest.mark.matplotlib
def test_plots_are_drawn_and_no_window_opens(open_box: Opener):
    assert open_box(PLOTS).call("plots") is True
