"""Text for rich whose lines are broken between Chinese characters, too: rich knows spaces only."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.containers import Lines
from rich.text import Text

from autograder.messages.wrapping import break_offsets


class Flowing(Text):
    """A text that fills its lines in Chinese as it does in English."""

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:
        """Return the lines."""
        if options.get("no_wrap"):
            return super().wrap(console, width, **options)
        lines = self.split(allow_blank=True)
        parts = [part for line in lines for part in line.divide(break_offsets(line.plain, width))]
        for part in parts:  # rich measures the space after a line in characters, and cuts a letter off in Chinese
            part.rstrip()
        return Text("\n").join(parts).wrap(console, width, **options)
