"""The datasets that are known: where they are fetched, and the hashes by which their files count.

The facts are those of torchvision's and keras' own loaders. Hashes and sizes are of the decompressed idx files: every
packager compresses anew (Debian's .gz differ from the official ones), what is inside must be the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class IdxFile(NamedTuple):
    """One file of a dataset in the idx format, gzipped when it is distributed."""

    name: str  # without .gz
    size_bytes: int  # decompressed
    gz_bytes: int  # the official .gz: what is downloaded
    sha256: str  # of the decompressed bytes


@dataclass(frozen=True)
class Dataset:
    """A dataset that is known by its hashes.

    Attributes:
        name: "fashion-mnist".
        folder: where torchvision looks for it below its root, "FashionMNIST/raw".
        licence: as its authors state it.
        mirrors: addresses that the files' names are put after; the first that gives the right bytes is taken.
        files: train images, train labels, test images, test labels.
    """

    name: str
    folder: str
    licence: str
    mirrors: tuple[str, ...]
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]

    @property
    def gz_bytes(self) -> int:
        """What a download takes."""
        return sum(file.gz_bytes for file in self.files)


NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_SIZES = (47_040_016, 60_008, 7_840_016, 10_008)  # 60,000 and 10,000 images of 28 x 28, with headers


def _files(*facts: tuple[int, str]) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    first, second, third, fourth = (
        IdxFile(name, size, *fact) for name, size, fact in zip(NAMES, _SIZES, facts, strict=True)
    )
    return first, second, third, fourth


_ALL = (
    Dataset(
        name="fashion-mnist",
        folder="FashionMNIST/raw",
        licence="MIT (Zalando SE 2017)",
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        files=_files(
            (26_421_880, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            (29_515, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            (4_422_102, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            (5_148, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ),
    ),
    Dataset(
        name="mnist",
        folder="MNIST/raw",
        licence="CC BY-SA 3.0 (LeCun, Cortes, Burges)",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        files=_files(
            (9_912_422, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            (28_881, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            (1_648_877, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            (4_542, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ),
    ),
)
DATASETS = {dataset.name: dataset for dataset in _ALL}
