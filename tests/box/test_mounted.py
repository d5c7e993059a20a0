"""Datasets that lie ready in a box: read-only, where torchvision and keras look, in no box that was not given them."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from autograder.assignment import Entry
from autograder.box import mounted
from autograder.box.backends import NAMESPACES
from autograder.box.linux import mounts
from autograder.box.spec import BoxSpec
from autograder.datasets.registry import DATASETS, NAMES
from autograder.judge import boxes as boxes_module
from autograder.judge.boxes import Boxes
from autograder.judge.listener import Listener

if TYPE_CHECKING:
    from tests.box.conftest import Driven, Opener

TRAIN, TEST = 96, 32  # images of the small sets that are mounted here


def write_idx(folder: Path, seed: int) -> Path:
    """Write a set in the official form, of random images."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for name, count in zip(NAMES, (TRAIN, TRAIN, TEST, TEST), strict=True):
        array = rng.integers(0, 256, (count, 28, 28)) if "images" in name else rng.integers(0, 10, count)
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        (folder / f"{name}.gz").write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both datasets, small. Closed to everybody but who runs the judge, as some cache folders are."""
    root = tmp_path_factory.mktemp("data")
    made = {name: write_idx(root / name, seed) for seed, name in enumerate(("fashion-mnist", "mnist"))}
    for path in root.rglob("*.gz"):
        path.chmod(0o600)
    root.chmod(0o700)
    return made


def array_in(folder: Path, name: str) -> np.ndarray:
    raw = gzip.decompress((folder / f"{name}.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16 if "images" in name else 8)


def test_the_box_and_the_registry_know_the_same_datasets():
    assert {known.name: f"{known.torchvision}/raw" for known in mounted.KNOWN} == {
        dataset.name: dataset.folder for dataset in DATASETS.values()
    }
    assert mounted.FILES == NAMES
    assert str(mounts.DATASETS) == mounted.DATASETS


def test_files_are_named_in_the_order_of_what_is_asked_for():
    assert mounted.files_of([1, 0])[:4] == [f"mnist/{name}.gz" for name in NAMES]
    assert mounted.files_of([]) == []


LOOK = """
    import gzip, os
    from pathlib import Path
    PLACE = Path("/datasets")
    def files(): return sorted(str(path) for path in PLACE.rglob("*.gz"))
    def content(name): return (PLACE / name).read_bytes()
    def try_to(what):
        file = next(PLACE.rglob("*.gz"))
        try:
            if what == "write": file.write_bytes(b"")
            if what == "append": file.open("ab").close()
            if what == "remove": file.unlink()
            if what == "open": file.chmod(0o777)
            if what == "add": (PLACE / "more").write_text("x")
            if what == "replace": os.rename("answer.py", file)
            if what == "link": os.link(file, PLACE / "more")
        except OSError as error: return type(error).__name__
        return "done"
"""
sealed = pytest.mark.parametrize("backend", [NAMESPACES], indirect=True)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="sealed boxes are Linux's")


@linux_only
@sealed
class TestSealed:
    """What is special to a file system of the box's own."""

    def test_what_is_mounted_are_the_files_byte_for_byte(self, open_box: Opener, folders):
        student = open_box(LOOK, datasets=folders)
        assert student.call("files") == sorted(f"/datasets/{name}/{file}.gz" for name in folders for file in NAMES)
        for name, folder in folders.items():
            file = f"{NAMES[0]}.gz"
            assert student.call("content", f"{name}/{file}") == (folder / file).read_bytes()

    def test_security_only_what_was_asked_for_is_mounted(self, open_box: Opener, folders):
        student = open_box(LOOK, datasets={"mnist": folders["mnist"]})
        assert {path.split("/")[2] for path in student.call("files")} == {"mnist"}

    def test_security_a_box_beside_it_from_the_same_zygote_has_nothing(self, open_box: Opener, folders):
        one, other = open_box(LOOK, datasets=folders), open_box(LOOK)
        assert len(one.call("files")) == len(folders) * len(NAMES)
        assert other.call("files") == []

    @pytest.mark.parametrize("what", ["write", "append", "remove", "open", "add", "replace", "link"])
    def test_security_nothing_can_be_changed(self, open_box: Opener, folders, what):
        student = open_box(LOOK, datasets=folders)
        assert student.call("try_to", what) in {"OSError", "PermissionError"}
        assert len(student.call("files")) == len(folders) * len(NAMES)

    def test_the_quota_is_the_students_own(self, open_box: Opener, folders):
        source = "def write(size):\n    open('x', 'wb').write(bytes(size)); return True"
        assert open_box(source, datasets=folders, file_mb=1).call("write", (1 << 20) - 8192)


# --- torchvision ------------------------------------------------------------------------------------------------------

# As torchvision's own module is, as far as it looks for files; handed in, it is found as an installed one would be.
TORCHVISION = """
    import os
    class MNIST:
        def __init__(self, root, download=False):
            self.root = root
            if not self._check_exists():
                raise RuntimeError("Dataset not found. You can use download=True to download it")
            with open(os.path.join(self.raw_folder, "t10k-labels-idx1-ubyte"), "rb") as file: self.raw = file.read()
        @property
        def raw_folder(self): return os.path.join(self.root, self.__class__.__name__, "raw")
        def _check_exists(self): return os.path.isfile(os.path.join(self.raw_folder, "train-images-idx3-ubyte"))
    class FashionMNIST(MNIST): pass
    class KMNIST(MNIST): pass
"""
INSTALLED = {
    "torchvision/__init__.py": "",
    "torchvision/datasets/__init__.py": "from .mnist import *",
    "torchvision/datasets/mnist.py": TORCHVISION,
}
LESSON = """
    import os
    from torchvision import datasets
    def labels(name, root): return getattr(datasets, name)(root=os.path.expanduser(root), download=True).raw[8:]
    def own():
        folder = os.path.join("mine", "MNIST", "raw")
        os.makedirs(folder)
        for name in NAMES: open(os.path.join(folder, name), "wb").write(b"my own labels")
        return datasets.MNIST("mine").raw
    NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    def made(): return sorted(os.listdir("."))
"""


@pytest.fixture(scope="module")
def lesson(module_opener: Opener, folders: dict[str, Path]) -> Driven:
    return module_opener(LESSON, files=INSTALLED, datasets=folders)


@pytest.mark.parametrize("root", ["data", "../data", "~/data", "/content/data", "/tmp/data", "", "./数据"])
@pytest.mark.parametrize(("name", "dataset"), [("FashionMNIST", "fashion-mnist"), ("MNIST", "mnist")])
def test_torchvision_finds_them_below_any_root(lesson: Driven, folders, root, name, dataset):
    assert lesson.call("labels", name, root) == array_in(folders[dataset], NAMES[3]).tobytes()
    assert lesson.call("made") == ["answer.py", "torchvision"]  # no folder that the student's code has not made


def test_torchvision_takes_files_of_the_students_own_first(open_box: Opener, folders):
    assert open_box(LESSON, files=INSTALLED, datasets=folders).call("own") == b"my own labels"


def test_torchvision_finds_nothing_that_is_not_mounted(open_box: Opener, folders):
    student = open_box(LESSON, files=INSTALLED, datasets={"mnist": folders["mnist"]})
    for name in ("FashionMNIST", "KMNIST"):
        assert "Dataset not found" in student.raised_by("labels", name, "data").text
    assert "Dataset not found" in open_box(LESSON, files=INSTALLED).raised_by("labels", "MNIST", "data").text


# --- keras ------------------------------------------------------------------------------------------------------------


@pytest.mark.tensorflow
def test_keras_finds_them_where_it_looks(open_box: Opener, folders):
    source = """
        from tensorflow import keras
        def digits(): (x, y), (a, b) = keras.datasets.mnist.load_data(); return [x, y, a, b]
        def clothes(): (x, y), (a, b) = keras.datasets.fashion_mnist.load_data(); return [x, y, a, b]
    """
    student = open_box(source, frameworks=("tensorflow",), device="cpu", datasets=folders)
    for function, dataset in (("clothes", "fashion-mnist"), ("digits", "mnist")):
        came = student.call(function)
        assert [array.shape for array in came] == [(TRAIN, 28, 28), (TRAIN,), (TEST, 28, 28), (TEST,)]
        for array, name in zip(came, NAMES, strict=True):
            assert np.array_equal(array.ravel(), array_in(folders[dataset], name))


# --- which boxes are given them ---------------------------------------------------------------------------------------


def test_security_boxes_of_hidden_checks_are_given_none(folders, monkeypatch: pytest.MonkeyPatch):
    given: list[SimpleNamespace] = []
    closed: list[SimpleNamespace] = []

    def open_(spec: BoxSpec) -> SimpleNamespace:
        box = SimpleNamespace(datasets=spec.datasets, alive=True, is_loaded=False)
        box.close = lambda: closed.append(box)
        given.append(box)
        return box

    monkeypatch.setattr(boxes_module, "BoxClient", open_)
    spec = BoxSpec({"answer.py": b""}, "answer.py", (), datasets=folders)
    boxes = Boxes(spec, Entry(file="answer.py", names=("fit",)), Listener())
    shared = given[0]
    assert shared.datasets == folders
    boxes.begin_check(hidden=False, hidden_left=2)  # starts boxes for the hidden checks to come
    boxes.begin_check(hidden=True, hidden_left=2)  # no public check has used the shared box: it is not as good as new
    boxes.begin_check(hidden=True, hidden_left=3)
    assert closed == [shared]
    assert len(given) > 2
    assert [box.datasets for box in given[1:]] == [{}] * (len(given) - 1)
    boxes.begin_check(hidden=False, hidden_left=0)
    assert boxes._home().datasets == folders
