"""Pages of docs/ that are transcripts: their commands are typed, and the page has to say what came."""

from __future__ import annotations

from collections.abc import Callable, Iterable

PROMPT = "    $ "


def written_anew(page: str, type_: Callable[[str], Iterable[str]]) -> str:
    """Return a page with what its commands print now.

    Args:
        page: as it is.
        type_: types a command and returns the lines that it prints.
    """
    made: list[str] = []
    inside = False
    for line in page.splitlines():
        inside = line.startswith(PROMPT) or (inside and line.startswith("    "))
        if line.startswith(PROMPT):
            made.append(line)
            made += (f"    {came}".rstrip() for came in type_(line.removeprefix(PROMPT)))
        elif not inside:
            made.append(line)
    return "\n".join(made) + "\n"
