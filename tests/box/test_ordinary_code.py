"""What ordinary homework code does besides training works in every box: files, threads, time zones, plots, text.

Most of it is asked of one box for each backend, as one student's file would; what is refused says so in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

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
    return [by_file == by_folder, rows, sibling.NAME, sorted(path.name for path in here.glob("*.csv"))]

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

def shared_memory():
    from multiprocessing import shared_memory
    path = pathlib.Path("/dev/shm")
    if path.exists(): (path / "x").write_bytes(b"1"); (path / "x").unlink()
    import mmap
    with mmap.mmap(-1, 4096) as memory:
        memory[:2] = b"ab"
        return memory[:2]

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

def asks(): return input("name? ")
def forks_a_program():
    import subprocess
    return subprocess.run(["nvidia-smi"], capture_output=True)
def calls_the_shell(): return os.system("ls")
def opens_an_address():
    import urllib.request
    return urllib.request.urlopen("http://192.0.2.1/x", timeout=1)
def looks_up_a_name():
    import urllib.request
    return urllib.request.urlopen("http://data.invalid/x", timeout=1)
def requests_it():
    import requests
    return requests.get("https://data.invalid/x", timeout=1)
def connects():
    import socket
    return socket.create_connection(("192.0.2.1", 80), 1)
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
    "shared_memory": b"ab",
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
def test_ordinary_python(student: Driven, name: str):
    assert student.call(name) == EXPECTED[name]
