"""What a box tells is a claim: cut to what an honest one sends, and made plain, before anything else looks at it.

# SECURITY: the student's code can make its box tell anything. Patterns are searched in these texts, on megabytes some
# take hours; they are shown in terminals; and the report's models refuse what can't be.
"""

from __future__ import annotations

from typing import Any, Final, TypeGuard

import numpy as np
from msgspec.structs import replace

from autograder.box.devices import CPU
from autograder.box.importing import is_below
from autograder.box.protocol import Environment, Frame, Loaded, Raised

MAX_CHARS: Final = 300  # of a name, a version, a reason
_MAX_TEXT, _MAX_SOURCE, _MAX_NAMES, _MAX_NAME, _MAX_FRAMES, _MAX_BASES = 4000, 300, 500, 200, 40, 20
_MOST_STOPPED, _MAX_LINE = 16, 1 << 20
_DEVICES = frozenset([CPU, "cuda", "mps"])
_MAX_MEMORY_BYTES = 1 << 50


def plain_lines(claim: str) -> str:
    """Return a text of several lines, bounded by whoever read it, without characters that a terminal acts on."""
    return "".join(char for char in claim if char.isprintable() or char in "\n\t")


def plain(claim: str) -> str:
    """Return a text in one line of bounded length, without characters that a terminal acts on."""
    cut = claim[: 4 * MAX_CHARS]
    return " ".join("".join(char if char.isprintable() else " " for char in cut).split())[:MAX_CHARS]


def loaded(told: Loaded) -> Loaded:
    """Return what a box tells of itself, such as a report can hold it."""
    environment = told.environment
    made = Environment(
        python=plain(environment.python),
        platform=plain(environment.platform),
        numpy=_version(environment.numpy),
        torch=_version(environment.torch),
        tensorflow=_version(environment.tensorflow),
        threads=min(max(environment.threads, 0), 1 << 16),
        device=environment.device if environment.device in _DEVICES else CPU,
        device_name=plain(environment.device_name),
        device_memory=min(max(environment.device_memory, 0), _MAX_MEMORY_BYTES),
        device_problem=plain(environment.device_problem),
    )
    # Each once and in order: these go to the attempt's other boxes, and what is bounded so tells them next to nothing.
    stopped = sorted({line for line in told.stopped[:_MOST_STOPPED] if 0 < line < _MAX_LINE})
    return replace(told, environment=made, stopped=stopped)


def _version(told: str | None) -> str | None:
    return None if told is None else plain(told)


def raised(told: Raised) -> Raised:
    """Return what a box tells of an exception."""
    return replace(
        told,
        type_name=told.type_name[:_MAX_NAME],
        mro=[name[:_MAX_NAME] for name in told.mro[:_MAX_BASES]],
        text=told.text[:_MAX_TEXT],
        frames=[_frame(frame) for frame in told.frames[:_MAX_FRAMES]],
        names=[name[:_MAX_NAME] for name in told.names[:_MAX_NAMES]],
        missing=told.missing[:_MAX_NAME],
        errnos=told.errnos[:_MAX_BASES],
    )


def _frame(told: Frame) -> Frame:
    return replace(
        told,
        file=told.file[:MAX_CHARS],
        function=told.function[:_MAX_NAME],
        source=told.source[:_MAX_SOURCE],
    )


def are_files(files: object) -> TypeGuard[dict[str, np.ndarray[Any, np.dtype[np.uint8]]]]:
    """SECURITY: what one box says lay in its folder is written in another; the paths must stay below that one's."""
    return isinstance(files, dict) and all(
        isinstance(name, str) and is_below(name) and isinstance(content, np.ndarray) and content.dtype == np.uint8
        for name, content in files.items()
    )
