"""Spare boxes: forked and sealed ahead of need, and waiting for a submission; the judge's side.

    Spares.keep(kind) ── request ──▶ box zygote ── fork ──▶ a sealed box, which rehearses and waits
    Spares.take(kind) ──▶ Spare.give(spec) ──▶ BoxClient, which sends it the submission

What waits has gone through every layer, knows nothing of anybody, and is a box like any other from then on: its kind
says all that is different between one and another before a submission comes. It is used once.

SECURITY: that it has waited before its first line is in /proc (when it was started), and can't be hidden. In a class
run the public checks' box may be a spare, and those of hidden checks are none: docs/box.md, "What a submission can tell
of its box".

A spare costs a rehearsal, 2 ms of a processor more than a box that is forked when it is asked for. Whoever keeps one
must have a core to spare as well: `judge.warm` decides. Never with a GPU, of which one that waits would hold memory.
"""

from __future__ import annotations

from typing import NamedTuple

from autograder.box import sealed
from autograder.box.backends import NAMESPACES
from autograder.box.sealed import Kind, SealedBox
from autograder.box.spec import BoxSpec
from autograder.box.zygotes import Zygote, zygote_for


class Spare(NamedTuple):
    """A box that waits."""

    kind: Kind
    box: SealedBox

    @property
    def alive(self) -> bool:
        """Whether it can be given a submission."""
        return self.box.process.poll() is None

    def give(self, spec: BoxSpec) -> SealedBox | None:
        """Return the box if it is what `spec` asks for; end it otherwise."""
        if spec.isolation == NAMESPACES and sealed.kind_of(spec) == self.kind and self.alive:
            # Forked processes are lent the zygote anew; it is asked why a box has ended.
            self.box.process.belong_to(zygote_for(self.kind.key))
            return self.box
        self.end()
        return None

    def end(self) -> None:
        """End a box that nobody has used."""
        self.box.end()
        self.box.output.close()


class Spares:
    """One spare of each kind that was asked for."""

    def __init__(self) -> None:
        self._waiting: dict[Kind, Spare] = {}

    def keep(self, kind: Kind, zygote: Zygote | None = None) -> None:
        """Have one waiting, unless there is one that lives. Returns at once.

        Args:
            kind: which boxes it is as good as.
            zygote: to fork it; this process's own, where it is left out.
        """
        if kind.request.gpus:
            return
        known = self._waiting.get(kind)
        if known is None or not known.alive:
            if known is not None:
                known.end()
            self._waiting[kind] = Spare(kind, sealed.fork(kind, zygote))

    def take(self, kind: Kind) -> Spare | None:
        """Return the one that waits, which is the caller's from now on; None where there is none that lives."""
        known = self._waiting.pop(kind, None)
        if known is None or known.alive:
            return known
        known.end()
        return None

    def end(self) -> None:
        """End all that wait."""
        while self._waiting:
            self._waiting.popitem()[1].end()

    def disown(self) -> None:
        """Let go of all in a process that was forked from this one, whose they stay.

        SECURITY: a box ends when the last copy of its status socket is closed; no other process may keep one.
        """
        while self._waiting:
            self._waiting.popitem()[1].box.let_go()
