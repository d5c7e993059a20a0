"""Advice: what a box may tell beside its answers. Bounded, cleaned, never believed; it changes no score and no status.

    student's code, stand-ins ── note(kind, detail) ──▶ kept here ── Synced, at the end of a check ──▶ judge.advice
    print ─────────────────────── output pipe ─────────▶ output.OutputDrain ── its tail ─────────────▶ judge.advice
    a notebook's cells, where asked for ── screen ─────▶ Loaded, before anything is asked ───────────▶ judge.showing

A note is one of the kinds below, for which the judge has the words, and a few words of detail. What the kinds don't
name can't be said: code of the student's that forges notes chooses among sentences of ours. All bounds of the channel
stand here, those of what cells show in `screen`; they hold where a note is made, to keep the box small, and again where
the judge reads it, which is what counts.

Imported on both sides: the standard library and msgspec only, and by Python 3.9 too.
"""

from __future__ import annotations

import warnings
from typing import Any

import msgspec

# What a note may be about; the words are `note.<kind>` in autograder.messages, the detail is their {detail}.
EAGER_COMPILE = "eager_compile"  # torch.compile was called, and runs what it is given without compiling it
STAND_IN = "stand_in"  # a package that is not installed is stood in for; the detail is its name
NUMERIC_WARNING = "numeric_warning"  # a RuntimeWarning, as numpy raises for overflow; the detail is its text
LOADED_AT_IMPORT = "loaded_at_import"  # a mounted dataset was read while the submission was imported; its name
CELL_RAISED = "cell_raised"  # a notebook's cell raised, and those after it ran; its number, its line, and what
CELL_STOPPED = "cell_stopped"  # a notebook's cell took too long, and those after it ran; its number, and its line
KINDS = frozenset([EAGER_COMPILE, STAND_IN, NUMERIC_WARNING, LOADED_AT_IMPORT, CELL_RAISED, CELL_STOPPED])

MOST_NOTES = 12  # kept of one check; what comes after is not
MOST_DETAIL_CHARS = 120
MOST_TIMES = 1_000_000
TAIL_BYTES = 16 << 10  # kept of what one check prints


class Note(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One thing worth knowing, and how many times it happened."""

    kind: str
    detail: str = ""
    times: int = 1


_noted: dict[tuple[str, str], int] = {}


def note(kind: str, detail: str = "") -> None:
    """Keep a note until the judge asks for it (in the box)."""
    key = (kind, detail[:MOST_DETAIL_CHARS])
    if key in _noted or len(_noted) < MOST_NOTES:
        _noted[key] = min(_noted.get(key, 0) + 1, MOST_TIMES)


def take() -> list[Note]:
    """Return the notes since the last time (in the box)."""
    taken = [Note(kind, detail, times) for (kind, detail), times in _noted.items()]
    _noted.clear()
    return taken


def note_numeric_warnings() -> None:
    """Have numpy's warnings noted, besides being printed: a check that passed does not show what was printed."""
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, RuntimeWarning):
            note(NUMERIC_WARNING, str(message))
        shown(message, category, *rest, **more)

    warnings.showwarning = show
