"""What the worker knows of torch and tensorflow (inside the box): seeds, threads, tensors. It never imports either.

A framework counts once the student's code has imported it (`sys.modules`); hw1 needs neither. Everything here is
called with the student's code loaded, which may have patched anything: callers treat any exception as "not available".
"""

from __future__ import annotations

import functools
import os
import random
import sys
from typing import Any

import numpy as np

from autograder.box import advice

_MAX_SEED = 1 << 32  # numpy's global generator takes 32 bits


def loaded(name: str) -> Any | None:
    """Return the framework's module, if it has been imported completely."""
    module = sys.modules.get(name)
    return module if module is not None and getattr(module, "__version__", None) else None


def version(name: str) -> str | None:
    """Return the version of an imported framework, or None."""
    module = loaded(name)
    return None if module is None else str(module.__version__)


def seed_all(seed: int, *, cpu_only: bool = False) -> None:
    """Seed every generator that training may draw from: random, numpy, torch, tensorflow and keras.

    Args:
        seed: any int.
        cpu_only: there is nothing else to compute on, so that torch's generator of the cpu is all it has.
    """
    seed %= _MAX_SEED
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the student's code draws from the global generator
    if torch := loaded("torch"):
        # For each kind of accelerator that may still be used torch.manual_seed remembers the seed together with a stack
        # trace, which takes 6 ms the first time, 0.1 ms from then on, and is never freed.
        (torch.default_generator if cpu_only else torch).manual_seed(seed)
    if tensorflow := loaded("tensorflow"):
        tensorflow.random.set_seed(seed)
    if keras := loaded("keras"):
        keras.utils.set_random_seed(seed)  # keras layers draw from a generator of keras' own


def compile_eagerly() -> None:
    """Have torch.compile give back what it is given, with a note: there is no compiler here.

    It would do so by itself, told by the environment (TORCHDYNAMO_DISABLE), after importing its compiler for seconds.
    """
    torch = loaded("torch")
    if torch is None or not hasattr(torch, "compile") or os.environ.get("TORCHDYNAMO_DISABLE") != "1":
        return

    @functools.wraps(torch.compile)
    def eagerly(model: Any = None, **_options: Any) -> Any:
        advice.note(advice.EAGER_COMPILE)
        return (lambda function: function) if model is None else model

    torch.compile = eagerly


def thread_count(default: int) -> int:
    """Return how many threads the loaded framework computes with: other counts give other bits."""
    torch = loaded("torch")
    return int(torch.get_num_threads()) if torch else default


def tensor_as_array(value: object) -> np.ndarray[Any, Any] | None:
    """Return a torch or tensorflow tensor's values, or None where `value` is neither.

    SECURITY: exact types for torch (a subclass is the student's code); what comes back is checked as any array is.
    """
    torch, tensorflow = loaded("torch"), loaded("tensorflow")
    if torch and type(value) in {torch.Tensor, torch.nn.Parameter}:
        tensor = value.detach().cpu()  # type: ignore[attr-defined]
        if tensor.dtype == torch.bfloat16:  # numpy has no such type
            tensor = tensor.float()
        return _plain(tensor.resolve_conj().resolve_neg().numpy())
    if tensorflow and tensorflow.is_tensor(value) and hasattr(value, "numpy"):
        return _plain(value.numpy())
    return None


def _plain(array: object) -> np.ndarray[Any, Any] | None:
    if not isinstance(array, (np.ndarray, np.generic)):
        return None
    made = np.asarray(array)
    return made.astype(np.float32) if made.dtype.name == "bfloat16" else made  # a type of tensorflow's own
