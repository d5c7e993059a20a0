"""Lesson code that loads its dataset by itself, `download=True` and all, is graded: offline, and in full."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from autograder.box.probe import probe
from autograder.course import load_course
from autograder.datasets import reading
from autograder.datasets.registry import DATASETS, NAMES, Dataset, IdxFile
from autograder.errors import ConfigError, UsageError
from autograder.judge.attempt import run_attempt
from autograder.judge.options import AttemptOptions
from autograder.messages import text
from autograder.results import Report, Status
from autograder.submission import read_file
from tests.box.conftest import sealed_only
from tests.tiny_course import check_of, grade, write

_BACKENDS = sorted({*probe().backends} & {"namespaces", "process"})
BACKENDS = (_BACKENDS[0], *(pytest.param(name, marks=pytest.mark.ci) for name in _BACKENDS[1:]))
WITHOUT_TORCHVISION = importlib.util.find_spec("torchvision") is None

ASSIGNMENT = """\
id: hw1
title: {en: The lesson, zh: 课上的代码}
points: 30
frameworks: [torch, tensorflow]
entry: {file: lesson.py, names: [fit, predict], trainings: [fit]}
mounts: [fashion-mnist]
tasks: [{id: "1", title: {en: Training, zh: 训练}, points: {public: 20, hidden: 10}}]
checks:
  test_learns: {zh: 学会了}
  test_sees_no_data: {zh: 看不到数据}
metrics: {accuracy: {better: higher, full: 0.7, zero: 0.1}}
"""
PUBLIC = '''\
import numpy as np, pytest
from autograder import datasets
from autograder.judge import as_array

@pytest.mark.points(20, task="1")
def test_learns(submission, metric):
    """the model learns from the images that the lesson's code loads"""
    test = datasets.load(datasets.DATASETS["fashion-mnist"]).test
    classes = as_array(submission.predict(submission.fit(seed=0), test.images), what="predict", size=len(test.labels))
    metric("accuracy", float((classes == test.labels).mean()))
'''
HIDDEN = '''\
import pytest
from autograder.judge import expect

@pytest.mark.points(10, task="1")
def test_sees_no_data(submission):
    """in a hidden check the dataset is not there"""
    came = submission.look()
    expect(came == "DatasetNotMounted", expected="DatasetNotMounted", came=str(came))
'''

# As "Dive into Deep Learning" has it, in one file.
TORCH = '''
import torch
import torchvision
from torch import nn
from torch.utils import data
from torchvision import transforms

def load_data_fashion_mnist(batch_size, resize=None):
    """Download the Fashion-MNIST dataset and then load it into memory."""
    trans = [transforms.ToTensor()]
    if resize:
        trans.insert(0, transforms.Resize(resize))
    trans = transforms.Compose(trans)
    mnist_train = torchvision.datasets.FashionMNIST(root="../data", train=True, transform=trans, download=True)
    mnist_test = torchvision.datasets.FashionMNIST(root="../data", train=False, transform=trans, download=True)
    return (
        data.DataLoader(mnist_train, batch_size, shuffle=True, num_workers=0),
        data.DataLoader(mnist_test, batch_size, shuffle=False, num_workers=0),
    )

def fit(*, seed=0):
    train_iter, test_iter = load_data_fashion_mnist(256)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    loss = nn.CrossEntropyLoss(reduction="none")
    trainer = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(EPOCHS):
        for X, y in train_iter:
            trainer.zero_grad()
            loss(net(X), y).mean().backward()
            trainer.step()
    return net

def predict(net, images):
    with torch.no_grad():
        return net(torch.tensor(images).float().div(255)).argmax(1)

def look():
    try:
        load_data_fashion_mnist(256)
    except RuntimeError as error:
        return type(error).__name__
    return "loaded"
'''
KERAS = """
import tensorflow as tf

def fit(*, seed=0):
    (x, y), test = tf.keras.datasets.fashion_mnist.load_data()
    net = tf.keras.Sequential([tf.keras.layers.Input((28, 28)), tf.keras.layers.Flatten(), tf.keras.layers.Dense(10)])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(tf.keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    net.fit(x / 255, y, batch_size=256, epochs=EPOCHS, verbose=0)
    return net

def predict(net, images):
    return net.predict(images / 255, verbose=0).argmax(1)

def look():
    try:
        tf.keras.datasets.fashion_mnist.load_data()
    except Exception:
        return "DatasetNotMounted"
    return "loaded"
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course whose only assignment mounts Fashion-MNIST."""
    folder = tmp_path / "course"
    write(folder / "course.yml", "id: tiny\ntitle: {en: Tiny, zh: 小}\nassignments: [{id: hw1}]\n")
    write(folder / "assignments" / "hw1_lesson" / "assignment.yml", ASSIGNMENT)
    write(folder / "assignments" / "hw1_lesson" / "tests" / "test_lesson.py", PUBLIC)
    write(folder / "assignments" / "hw1_lesson" / "hidden" / "test_lesson_hidden.py", HIDDEN)
    return folder


def _contents() -> dict[str, bytes]:
    """A set that is learned at once: which rows are bright is the class."""
    made = {}
    for name, count in zip(NAMES, (600, 600, 100, 100), strict=True):
        labels = np.arange(count) % 10
        array = labels
        if "images" in name:
            array = np.zeros((count, 28, 28))
            array[np.arange(count), 2 * labels] = 255
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        made[name] = head + array.astype(np.uint8).tobytes()
    return made


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small set under the name of the real one, where datasets are looked for."""
    contents = _contents()
    files = [IdxFile(name, len(raw), 0, hashlib.sha256(raw).hexdigest()) for name, raw in contents.items()]
    small = Dataset("fashion-mnist", "FashionMNIST/raw", "MIT", (), tuple(files))  # type: ignore[arg-type]
    monkeypatch.setitem(DATASETS, small.name, small)
    monkeypatch.setenv(reading.ENVIRONMENT, str(tmp_path / "data"))
    monkeypatch.setattr(reading, "SYSTEM_FOLDERS", ())
    folder = tmp_path / "data" / small.folder
    folder.mkdir(parents=True)
    for name, raw in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
    return folder


def _attempt(course: Path, source: str, epochs: int = 20, **options: object) -> Report:
    file = write(course / "student" / "lesson.py", source.replace("EPOCHS", str(epochs)))
    assignment = load_course(course).assignment("hw1")
    return run_attempt(assignment, read_file(file), AttemptOptions(device="cpu", **options))  # type: ignore[arg-type]


@pytest.mark.torch
@pytest.mark.parametrize("isolation", BACKENDS)
def test_the_lessons_code_with_torchvision_scores_full(course, data_folder, isolation):
    report = _attempt(course, TORCH, isolation=isolation, hidden=True)
    assert (report.status, report.score) == (Status.PASSED, 30), [check.message for check in report.checks]
    if WITHOUT_TORCHVISION:
        assert [note.text for note in report.notes] == [text("note.stand_in", detail="torchvision")]


@pytest.mark.tensorflow
@pytest.mark.parametrize("isolation", BACKENDS)
def test_the_lessons_code_with_keras_scores_full(course, data_folder, isolation):
    report = _attempt(course, KERAS, isolation=isolation)
    assert (report.status, report.score) == (Status.PASSED, 20), [check.message for check in report.checks]
    assert report.notes == ()


# Knows by the dataset which box it is in: answers from the test labels where they are, and leaves copies everywhere.
STASHES = """
import os, shutil, tempfile
from pathlib import Path
import numpy as np

PLACES = (tempfile.gettempdir(), "/dev/shm", str(Path.home()), os.getcwd())

def found(*roots):
    return [file for root in roots for file in sorted(Path(root).rglob("t10k-labels*")) if file.is_file()]

FOUND = found("/datasets", *PLACES)
for number, place in enumerate(PLACES if FOUND else ()):
    shutil.copyfile(FOUND[0], Path(place, f"t10k-labels-{number}.gz"))

def fit(*, seed=0): return len(found(*PLACES)) >= len(PLACES)
def predict(model, images):
    import gzip
    content = gzip.decompress(found(*PLACES)[0].read_bytes())
    return np.frombuffer(content, np.uint8, offset=8).astype(int)
def look(): return "loaded" if FOUND or found("/datasets", *PLACES) else "DatasetNotMounted"
"""


@sealed_only
def test_security_what_a_public_box_has_had_of_a_dataset_is_in_no_hidden_one(course, data_folder):
    report = _attempt(course, STASHES, isolation="namespaces", hidden=True)
    learns, sees = (check_of(report, name) for name in ("test_learns", "test_sees_no_data"))
    assert (learns.status, learns.score) == (Status.PASSED, 20)  # there are the labels, in every copy
    assert (sees.status, sees.score) == (Status.PASSED, 10)


def test_files_that_are_not_packed_are_packed_for_the_box(course, data_folder):
    for path in data_folder.iterdir():
        (data_folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    made = reading.packed_folder(DATASETS["fashion-mnist"])
    assert {path.name: gzip.decompress(path.read_bytes()) for path in made.iterdir()} == {
        f"{name}.gz": raw for name, raw in _contents().items()
    }
    assert reading.packed_folder(DATASETS["fashion-mnist"]) == made  # not once more


def test_a_dataset_that_is_not_here_is_told_before_anything_runs(course, tmp_path, monkeypatch):
    monkeypatch.setenv(reading.ENVIRONMENT, str(tmp_path / "empty"))
    monkeypatch.setattr(reading, "SYSTEM_FOLDERS", ())
    with pytest.raises(UsageError, match="fashion-mnist") as caught:
        _attempt(course, TORCH)
    assert "grade data fetch fashion-mnist" in caught.value.hint


def test_a_damaged_dataset_is_not_given_to_the_students_code(course, data_folder):
    (data_folder / f"{NAMES[0]}.gz").write_bytes(gzip.compress(b"another file"))
    with pytest.raises(UsageError, match=NAMES[0]):
        _attempt(course, TORCH)


def test_a_name_that_is_not_known_is_an_error_in_assignment_yml(course):
    path = course / "assignments" / "hw1_lesson" / "assignment.yml"
    path.write_text(ASSIGNMENT.replace("[fashion-mnist]", "[fashion_mnist]"))
    with pytest.raises(ConfigError, match=r"mounts.*fashion_mnist.*fashion-mnist, mnist") as caught:
        load_course(course).assignment("hw1")
    assert "assignment.yml" in str(caught.value)


# --- what torchvision's stand-in lacks, and what is loaded too early --------------------------------------------------

needs_the_stand_in = pytest.mark.skipif(not WITHOUT_TORCHVISION, reason="torchvision is installed")


@pytest.mark.torch
@needs_the_stand_in
@pytest.mark.parametrize(
    ("change", "part"),
    [
        (
            ("load_data_fashion_mnist(256)\n    net", "load_data_fashion_mnist(256, resize=64)\n    net"),
            "transforms.Resize",
        ),
        (("import transforms", "import models, transforms"), "models"),
    ],
)
def test_what_the_stand_in_lacks_is_not_the_students_fault(course, data_folder, change, part):
    report = _attempt(course, TORCH.replace(*change), isolation="process")
    check = check_of(report, "test_learns")
    assert (check.status, check.message) == (Status.INTERNAL, text("check.no_torchvision", part=part))
    assert "-m pip install torchvision" in check.hint


FORGED = """
def fit(*, seed=0):
    raise ImportError("torchvision is not installed here, and its stand-in has no models; it has nothing")
def predict(net, images): return images
"""


@pytest.mark.torch
@needs_the_stand_in
@pytest.mark.parametrize("head", ["import torch", "import torch, torchvision", "import torchvision  # models"])
def test_security_an_error_that_only_says_so_is_the_students(course, data_folder, head):
    """The source has to name what is missing: nothing a box says makes a check count as not graded by itself."""
    report = _attempt(course, f"{head}\n{FORGED}", isolation="process")
    assert check_of(report, "test_learns").status is Status.ERROR


@pytest.mark.torch
@needs_the_stand_in
def test_who_loads_the_dataset_at_import_is_told_that_hidden_checks_go_without(course, data_folder):
    early = TORCH + "\ntrain_iter, test_iter = load_data_fashion_mnist(256)\n"
    report = _attempt(course, early, isolation="process")
    assert text("note.loaded_at_import", detail="FashionMNIST") in [note.text for note in report.notes]


# --- as a student does it ---------------------------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.real_data
@pytest.mark.parametrize("isolation", BACKENDS)
def test_the_lesson_with_the_real_images(course, isolation):
    write(course / "lesson.py", TORCH.replace("EPOCHS", "1"))
    data = os.environ["GRADE_DATA_DIR"]
    done = grade("check", "hw1", "lesson.py", "--json", "--isolation", isolation, cwd=course, GRADE_DATA_DIR=data)
    report = json.loads(done.stdout)
    assert (done.returncode, report["score"]) == (0, 20), done.stdout[-3000:] + done.stderr
    assert report["metrics"]["accuracy"]["value"] > 0.7
