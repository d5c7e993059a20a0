"""What a check's boxes told beside their answers, made fit for a report: bounded, plain text, and told as a claim.

The channel and its bounds: autograder.box.advice. SECURITY: nothing in here may reach a score or a status.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from autograder.box import advice as channel
from autograder.judge.claims import plain
from autograder.messages import text
from autograder.results import Note


class Advice(NamedTuple):
    """What one check's boxes told."""

    printed: str = ""  # the end of what the student's code printed
    notes: tuple[Note, ...] = ()


def gathered(told: Iterable[tuple[str, Sequence[channel.Note]]]) -> Advice:
    """Return the advice of all boxes that a check has used; the same note from several is one."""
    printed, times = "", dict[tuple[str, str], int]()
    for output, notes in told:
        printed += output
        for note in notes[: channel.MOST_NOTES]:
            key = (note.kind, plain(note.detail[: channel.MOST_DETAIL_CHARS]))
            # SECURITY: the box can name any kind; only those that we have words for are one.
            if note.kind in channel.KINDS and len(times) < channel.MOST_NOTES:
                times[key] = min(times.get(key, 0) + max(note.times, 1), channel.MOST_TIMES)
    made = (
        Note(kind=kind, text=text(f"note.{kind}", detail=detail), times=count)
        for (kind, detail), count in times.items()
    )
    return Advice(printed, tuple(made))


def merged(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Return the notes of an attempt, each once; at most as many as of one check."""
    found: dict[str, Note] = {}
    for note in notes:
        known = found.get(note.text)
        count = min(note.times + (known.times if known else 0), channel.MOST_TIMES)
        found[note.text] = note.model_copy(update={"times": count})
    return tuple(found.values())[: channel.MOST_NOTES]
