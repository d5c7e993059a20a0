"""What stands in for torchvision: the same numbers as torchvision's, for a few names; the rest is told, not guessed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from autograder.box.advice import STAND_IN
from autograder.box.backends import RESTRICTED
from autograder.box.stand_in import MISSING, THERE
from autograder.datasets.registry import NAMES
from tests.box.test_mounted import TEST, TRAIN, array_in, write_idx

if TYPE_CHECKING:
    from tests.box.conftest import Driven, Opener

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed"),
]

LESSON = """
import pickle
import numpy as np
import torch
import torchvision
from torch.utils import data
from torchvision import datasets, transforms
from torchvision.transforms import Compose, Normalize, ToTensor

def load(train=True, **options): return datasets.FashionMNIST(root="../data", train=train, download=True, **options)

def arrays(name, train):
    made = getattr(torchvision.datasets, name)("data", train=train)
    return [made.data, made.targets, len(made), made.data.shape[0] == made.targets.shape[0]]

def one():
    image, label = load()[3]
    return [type(image).__name__, image.size, image.mode, np.asarray(image), type(label).__name__, label]

def transformed():
    made = load(transform=ToTensor(), target_transform=lambda label: label + 100)
    return list(made[torch.tensor(3)])

def batches(workers):
    trans = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    loader = data.DataLoader(load(transform=trans), 32, shuffle=True, num_workers=workers)
    x, y = next(iter(loader))
    count = sum(len(batch[1]) for batch in loader)
    return [list(x.shape), str(x.dtype), float(x.min()) >= -1, str(y.dtype), len(loader), count]

def splits():
    made = load(train=False)
    first, second = data.random_split(made, [10, len(made) - 10])
    return [len(first), len(second), len(made + made), isinstance(made, data.Dataset), len(data.Subset(made, [1, 2]))]

def shown():
    trans = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    return [repr(load(transform=trans, target_transform=int)), repr(datasets.MNIST("data", train=False))]

def names():
    made = load()
    return [made.classes[0], made.class_to_idx["Ankle boot"], datasets.MNIST.classes[3], made.train, made.root]

def own_class():
    class Rotated(datasets.FashionMNIST):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image.rotate(90), label
    return [len(Rotated("data")), np.asarray(Rotated("data")[0][0])]

def tensors(array): return ToTensor()(array)
def of_mode(mode):
    from PIL import Image
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).convert(mode)
    tensor = ToTensor()(image)
    return [list(tensor.shape), str(tensor.dtype), float(tensor.double().sum())]
def normalized(array, mean, std): return transforms.Normalize(mean, std)(torch.tensor(array))
def in_place():
    tensor = torch.ones(1, 2, 2)
    made = transforms.Normalize((0.5,), (0.5,), inplace=True)(tensor), transforms.Normalize((0.5,), (0.5,))(tensor)
    return [made[0] is tensor, made[1] is tensor]
def in_a_network(): return torch.nn.Sequential(Normalize([0.5], [0.25]), torch.nn.Flatten())(torch.ones(2, 1, 2, 2))
def old_name(): return load().train_labels.shape[0]
def without_pillow():
    import sys
    from PIL import Image as hidden
    sys.modules["PIL.Image"] = None
    try: return [repr(load()[3][0]), np.asarray(load()[3][0]), load(transform=ToTensor())[3][0]]
    finally: sys.modules["PIL.Image"] = hidden

def resize(): return transforms.Resize(64)
def cifar():
    from torchvision.datasets import CIFAR10
def models(): from torchvision import models
def resnet(): from torchvision.models import resnet18
def functional(): import torchvision.transforms.functional
def tried():
    try: from torchvision import models
    except ImportError: models = None
    there = [hasattr(torchvision, "models"), hasattr(transforms, "Resize"), bool(torchvision.__version__)]
    return [models is None, *there]
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("data")
    return {name: write_idx(root / name, seed) for seed, name in enumerate(("fashion-mnist", "mnist"))}


@pytest.fixture(scope="module")
def student(backend: str, module_opener: Opener, folders: dict[str, Path]) -> Driven:
    processes = 0 if backend == RESTRICTED else 4  # such a box is one process
    return module_opener(LESSON, frameworks=("torch",), device="cpu", datasets=folders, processes=processes)


def test_it_is_told_that_something_stands_in(student: Driven):
    student.loaded()
    _, notes = student.client.take_advice()
    assert [(note.kind, note.detail) for note in notes] == [(STAND_IN, "torchvision")]


@pytest.mark.parametrize(("name", "dataset"), [("FashionMNIST", "fashion-mnist"), ("MNIST", "mnist")])
@pytest.mark.parametrize("train", [True, False])
def test_images_and_classes_are_those_of_the_files(student: Driven, folders, name, dataset, train):
    images, classes, count, alike = student.call("arrays", name, train)
    files = NAMES[:2] if train else NAMES[2:]
    assert np.array_equal(images.ravel(), array_in(folders[dataset], files[0]))
    assert np.array_equal(classes, array_in(folders[dataset], files[1]))
    assert (images.dtype, classes.dtype, count, alike) == (np.uint8, np.int64, TRAIN if train else TEST, True)


def test_one_image_is_what_pillow_makes_of_it(student: Driven, folders):
    kind, size, mode, pixels, label_kind, label = student.call("one")
    images = array_in(folders["fashion-mnist"], "train-images-idx3-ubyte").reshape(-1, 28, 28)
    assert (kind, size, mode, label_kind) == ("Image", (28, 28), "L", "int")
    assert np.array_equal(pixels, images[3])
    image, label_and_100 = student.call("transformed")
    assert np.array_equal(image, (images[3].astype(np.float32) / 255)[None])
    assert label_and_100 == label + 100


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataloader_takes_it(backend: str, student: Driven, workers):
    if workers and backend == RESTRICTED:
        pytest.skip("a restricted box is one process")
    assert student.call("batches", workers) == [[32, 1, 28, 28], "torch.float32", True, "torch.int64", 3, TRAIN]


def test_it_is_a_dataset_of_torchs(student: Driven):
    assert student.call("splits") == [10, TEST - 10, 2 * TEST, True, 2]
    assert student.call("names") == ["T-shirt/top", 9, "3 - three", True, "../data"]
    count, rotated = student.call("own_class")
    assert (count, rotated.shape) == (TRAIN, (28, 28))
    assert student.call("old_name") == TRAIN


# As torchvision 0.29 prints them.
SHOWN = """\
Dataset FashionMNIST
    Number of datapoints: 96
    Root location: ../data
    Split: Train
    StandardTransform
Transform: Compose(
               ToTensor()
               Normalize(mean=(0.1307,), std=(0.3081,))
           )
Target transform: <class 'int'>"""
SHOWN_BARE = "Dataset MNIST\n    Number of datapoints: 32\n    Root location: data\n    Split: Test"


def test_it_is_printed_as_torchvision_prints_it(student: Driven):
    assert student.call("shown") == [SHOWN, SHOWN_BARE]


RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (PIXELS, PIXELS.transpose(2, 0, 1).astype(np.float32) / 255),
        (PIXELS[:, :, 0], PIXELS[None, :, :, 0].astype(np.float32) / 255),
        (PIXELS.astype(np.float64), PIXELS.transpose(2, 0, 1).astype(np.float64)),  # only bytes are scaled
        (PIXELS.astype(np.int32), PIXELS.transpose(2, 0, 1).astype(np.int32)),
        (PIXELS > 100, (PIXELS > 100).transpose(2, 0, 1)),
    ],
)
def test_to_tensor_of_arrays(student: Driven, given, wanted):
    came = student.call("tensors", given)
    assert came.dtype == wanted.dtype
    assert np.array_equal(came, wanted)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("L", [[1, 3, 4], "torch.float32", 66 / 255]), ("RGB", [[3, 3, 4], "torch.float32", 3 * 66 / 255]),
     ("I", [[1, 3, 4], "torch.int32", 66]), ("F", [[1, 3, 4], "torch.float32", 66]),
     ("LA", [[2, 3, 4], "torch.float32", 66 / 255 + 12])],
)  # fmt: skip
def test_to_tensor_of_images(student: Driven, mode, wanted):
    shape, dtype, total = student.call("of_mode", mode)
    assert (shape, dtype) == tuple(wanted[:2])
    assert total == pytest.approx(wanted[2], rel=1e-5)


def test_normalize(student: Driven):
    images = RNG.random((2, 3, 4, 4), np.float32)
    mean, std = np.array([0.1, 0.2, 0.3], np.float32), np.array([0.5, 0.25, 2], np.float32)
    came = student.call("normalized", images, mean.tolist(), std.tolist())
    assert np.array_equal(came, (images - mean[:, None, None]) / std[:, None, None])
    assert student.call("in_place") == [True, False]
    assert np.array_equal(student.call("in_a_network"), np.full((2, 4), 2, np.float32))


@pytest.mark.parametrize(
    ("array", "std", "said"),
    [
        (np.ones((1, 2, 2), np.uint8), [1], "TypeError: Input tensor should be a float tensor. Got torch.uint8."),
        (
            np.ones((2, 2), np.float32),
            [1],
            (
                "ValueError: Expected tensor to be a tensor image of size (..., C, H, W). "
                "Got tensor.size() = torch.Size([2, 2])"
            ),
        ),
        (
            np.ones((1, 2, 2), np.float32),
            [0],
            "ValueError: std evaluated to zero after conversion to torch.float32, leading to division by zero.",
        ),
    ],
)
def test_what_normalize_refuses(student: Driven, array, std, said):
    raised = student.raised_by("normalized", array, [0.5], std)
    assert f"{raised.type_name}: {raised.text}" == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([[1, 2]], "TypeError: pic should be PIL Image or ndarray. Got <class 'list'>"),
        (np.ones(3), "ValueError: pic should be 2/3 dimensional. Got 1 dimensions."),
    ],
)
def test_what_to_tensor_refuses(student: Driven, given, said):
    raised = student.raised_by("tensors", given)
    assert f"{raised.type_name}: {raised.text}" == said


def test_without_pillow_something_stands_in_for_its_images(student: Driven, folders):
    images = array_in(folders["fashion-mnist"], "train-images-idx3-ubyte").reshape(-1, 28, 28)
    shown, pixels, tensor = student.call("without_pillow")
    assert shown == "<GreyImage mode=L size=28x28>"
    assert np.array_equal(pixels, images[3])
    assert np.array_equal(tensor, (images[3].astype(np.float32) / 255)[None])


@pytest.mark.parametrize(
    ("function", "part"),
    [("resize", "transforms.Resize"), ("cifar", "datasets.CIFAR10"), ("models", "models"), ("resnet", "models"),
     ("functional", "transforms.functional")],
)  # fmt: skip
def test_what_else_is_asked_for_is_told_with_what_there_is(student: Driven, function, part):
    assert student.raised_by(function).text == f"{MISSING}, and its stand-in has no {part}; it has {THERE}"


def test_code_that_does_without_can_find_out(student: Driven):
    assert student.call("tried") == [True, False, False, True]


def test_a_dataset_that_is_not_mounted_is_not_there(open_box: Opener, folders):
    student = open_box(LESSON, frameworks=("torch",), device="cpu", datasets={"mnist": folders["mnist"]})
    raised = student.raised_by("load")
    assert (raised.type_name, raised.text[:25]) == ("DatasetNotMounted", "FashionMNIST is not here:")
