"""Fashion-MNIST and MNIST as torchvision.datasets has them, from the files that are mounted in this box."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Optional

import numpy as np

from autograder.box import mounted
from autograder.box.stand_in import PARTS, explanation

_torch: Any = importlib.import_module("torch")
_Transform = Optional[Callable[[Any], Any]]  # noqa: UP045 - Python 3.9 knows no `X | Y` here

__all__ = list(PARTS["datasets"])


def __getattr__(name: str) -> Any:
    raise AttributeError(name if name.startswith("__") else explanation(f"datasets.{name}"))


class DatasetNotMounted(RuntimeError):
    """There are no files of this dataset here."""


class GreyImage:
    """What stands in for a Pillow image where Pillow is missing: `ToTensor` and `np.asarray` take it."""

    mode = "L"

    def __init__(self, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        self._pixels = pixels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self._pixels.shape
        return width, height

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray[Any, Any]:  # noqa: UP045, FBT001
        return np.array(self._pixels, dtype=dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} mode={self.mode} size={self.size[0]}x{self.size[1]}>"


class MNIST(_torch.utils.data.Dataset):  # type: ignore[misc]  # torch has no types here
    """Handwritten digits: images of 28 x 28 bytes in `data`, classes from 0 to 9 in `targets`.

    Args:
        root: shown, and else not used: the files are elsewhere.
        train: the 60,000 to train with, or the 10,000 to test with.
        transform: for each image, when it is taken out.
        target_transform: for each class, likewise.
        download: not needed, and not done.
    """

    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight",
        "9 - nine",
    ]  # fmt: skip

    def __init__(
        self,
        root: Any = None,
        train: bool = True,  # noqa: FBT001, FBT002 - torchvision's signature
        transform: _Transform = None,
        target_transform: _Transform = None,
        download: bool = False,  # noqa: FBT001, FBT002, ARG002
    ) -> None:
        self.root = os.path.expanduser(root) if isinstance(root, str) else root  # noqa: PTH111
        self.train, self.transform, self.target_transform = train, transform, target_transform
        known = mounted.class_named(self._torchvision_name())
        if known is None:
            raise DatasetNotMounted(f"{self._torchvision_name()} is not here: nothing can be downloaded while grading")
        images, labels = mounted.FILES[:2] if train else mounted.FILES[2:]
        self.data = _torch.from_numpy(mounted.read(known, images))
        self.targets = _torch.from_numpy(mounted.read(known, labels).astype(np.int64))

    @classmethod
    def _torchvision_name(cls) -> str:
        """The class that torchvision knows it by: a student's own class may be derived from it."""
        return next(base.__name__ for base in cls.__mro__ if base.__module__ == __name__)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        image, target = _image(self.data[index].numpy()), int(self.targets[index])
        return (
            image if self.transform is None else self.transform(image),
            target if self.target_transform is None else self.target_transform(target),
        )

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: number for number, name in enumerate(self.classes)}

    @property
    def raw_folder(self) -> str:
        """Where torchvision would look for the files."""
        return os.path.join(str(self.root), self._torchvision_name(), "raw")  # noqa: PTH118

    def __getattr__(self, name: str) -> Any:
        new = {"train_data": "data", "test_data": "data", "train_labels": "targets", "test_labels": "targets"}
        if name not in new:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        warnings.warn(f"{name} has been renamed {new[name]}", stacklevel=2)
        return getattr(self, new[name])

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"    Root location: {self.root}")
        lines.append(f"    Split: {'Train' if self.train is True else 'Test'}")
        told = {"Transform: ": self.transform, "Target transform: ": self.target_transform}
        if any(told.values()):
            lines.append("    StandardTransform")
        for head, transform in told.items():
            if transform is not None:
                first, *more = repr(transform).splitlines()
                lines += [head + first, *(" " * len(head) + line for line in more)]
        return "\n".join(lines)


class FashionMNIST(MNIST):
    """Zalando's pictures of clothes, in the form of MNIST."""

    classes: ClassVar[list[str]] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip


def _image(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Any:
    try:
        pillow = importlib.import_module("PIL.Image")
    except ImportError:
        return GreyImage(pixels)
    return pillow.fromarray(pixels)
