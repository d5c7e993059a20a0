"""Images to tensors, as torchvision.transforms does it: `ToTensor`, `Normalize`, `Compose`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.box.stand_in import PARTS, explanation

# The student's, who has imported torchvision, which can't be without it.
_torch: Any = importlib.import_module("torch")
_TYPES = {"I": np.int32, "F": np.float32, "I;16" if sys.byteorder == "little" else "I;16B": np.int16}  # else: bytes
_AXES = 3

__all__ = list(PARTS["transforms"])


def __getattr__(name: str) -> Any:
    raise AttributeError(name if name.startswith("__") else explanation(f"transforms.{name}"))


class Compose:
    """Several transforms, one after the other."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class ToTensor:
    """An image [rows, columns] or [rows, columns, channels] to a tensor [channels, rows, columns].

    Bytes from 0 to 255 become floats from 0 to 1; values of other types stay as they are.
    """

    def __call__(self, pic: Any) -> Any:
        if isinstance(pic, np.ndarray):
            if pic.ndim not in {_AXES - 1, _AXES}:
                raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
            values = pic
        elif _is_image(pic):
            values = np.array(pic, _TYPES.get(pic.mode, np.uint8))
            if pic.mode == "1":
                values *= 255
        else:
            raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
        values = values if values.ndim == _AXES else values[:, :, None]
        tensor = _torch.from_numpy(values.transpose(2, 0, 1)).contiguous()
        if tensor.dtype != _torch.uint8:
            return tensor
        return tensor.to(_torch.get_default_dtype()).div(255)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _is_image(pic: object) -> bool:
    pillow = sys.modules.get("PIL.Image")  # not imported: nobody can have an image of it
    return (pillow is not None and isinstance(pic, pillow.Image)) or type(pic).__name__ == "GreyImage"


class Normalize(_torch.nn.Module):  # type: ignore[misc]  # torch has no types here
    """Tensors [..., channels, rows, columns] minus the mean of each channel, divided by its standard deviation."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:  # noqa: FBT001, FBT002
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor: Any) -> Any:
        """Return the tensor normalized, a new one unless `inplace` was asked for."""
        if not isinstance(tensor, _torch.Tensor):
            raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
        if not tensor.is_floating_point():
            raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
        if tensor.ndim < _AXES:
            raise ValueError(
                f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.size()}"
            )
        mean, std = (_per_channel(values, tensor) for values in (self.mean, self.std))
        if (std == 0).any():
            raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
        made = tensor if self.inplace else tensor.clone()
        return made.sub_(mean).div_(std)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"


def _per_channel(values: Sequence[float], like: Any) -> Any:
    tensor = _torch.as_tensor(values, dtype=like.dtype, device=like.device)
    return tensor.view(-1, 1, 1) if tensor.ndim == 1 else tensor
