"""What a check asks of a box, as messages: calls with plain values, and with handles to what lives in that box."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.box.client import BoxClient
from autograder.box.protocol import Call, Handle, Path, Unsendable, Value, encode_message
from autograder.box.values import Encoder
from autograder.judge.proxy import RemoteObject, core_of

_DEFAULT_SEED = 0


class CheckMistake(Exception):
    """The check uses the submission in a way that can't work: the author's fault, shown as `internal`."""


def encoder_for(box: BoxClient | None) -> Encoder:
    """Return what turns a check's values into a message to a box; without one, only what any box has may be in them."""

    def keep(value: object) -> Value:
        if not isinstance(value, RemoteObject):
            return _refuse(value)
        core = core_of(value)
        if core.is_anywhere:
            return Path(core.path)
        if core.box is not box:
            raise CheckMistake(f"{value!r} lives in another box than the one that is called")
        return core.handle

    return Encoder(keep)


def call_message(
    target: Handle | Path,
    encoder: Encoder,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    *,
    keep: bool = False,
) -> Call:
    """Return the message of a call, still without its number; its arrays are in the encoder.

    Args:
        target: what is called.
        encoder: of the box that it goes to.
        args: by position.
        kwargs: by name.
        keep: what it returns stays in the box.
    """
    seed = seed_in(kwargs)
    return Call(
        id=0,
        target=target,
        args=[encoder.value(value) for value in args],
        kwargs={name: encoder.value(value) for name, value in kwargs.items()},
        seed=_DEFAULT_SEED if seed is None else seed,
        keep=keep,
    )


def training_key(name: str, args: Sequence[object], kwargs: Mapping[str, object], *, hidden: bool) -> str:
    """A hash of the call. Public and hidden trainings never share: a public box must not see hidden inputs."""
    encoder = encoder_for(None)
    call = call_message(Path(name), encoder, args, dict(sorted(kwargs.items())))
    digest = hashlib.blake2b(b"hidden" if hidden else b"public", digest_size=16)
    for buffer in encode_message(call, encoder.arrays):
        digest.update(buffer)
    return digest.hexdigest()


def seed_in(kwargs: Mapping[str, object]) -> int | None:
    """Return the seed that a call names."""
    seed = kwargs.get("seed")
    return int(seed) if isinstance(seed, int | np.integer) else None


def _refuse(value: Any) -> Value:
    raise Unsendable(f"a check can't send {type(value).__name__} objects to the box")
