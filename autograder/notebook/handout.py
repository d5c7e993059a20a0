"""A handout as a notebook says it: README.md is about a file and a terminal, and a notebook has neither.

    <!-- IN A FILE -->
    Fill in two functions in `mlp.py`:
    <!-- IN A NOTEBOOK
    Fill in two functions in the cells below.
    -->

The second half is a comment: whoever reads the README sees the first half only. A notebook has the second in its place,
which may be empty. Commands that `%grade` has, too, are written as it takes them.
"""

from __future__ import annotations

import re
from pathlib import Path

from autograder.errors import ConfigError
from autograder.messages import text

_LINK_LINE = re.compile(r"^\[[^\]]*\]\(README(\.zh)?\.md\)\n?", re.MULTILINE)  # to the other language's handout
_EITHER = re.compile(
    r"^<!-- IN A FILE -->\n(?:(?!<!-- IN A).*\n)*?"
    r"<!-- IN A NOTEBOOK\n(?P<said>(?:(?!<!-- IN A).*\n)*?)-->\n",
    re.MULTILINE,
)
_MARK = re.compile(r"^<!-- IN A (?:FILE|NOTEBOOK)\b", re.MULTILINE)
# In code: a word of the text may be "grade", too. `grade start` is for who has no notebook yet.
_COMMAND = re.compile(r"(?:(?<=`)|^(?P<indent> {4,})(?:\$ )?)grade (?=check|data|doctor|list)", re.MULTILINE)


def in_notebook(handout: str, file: Path) -> str:
    """Return a handout's text as a notebook has it.

    Args:
        handout: the README's text.
        file: the README, for errors.

    Raises:
        ConfigError: a part that is marked is not closed.
    """
    rest = _EITHER.sub(lambda found: "\n" * found.group().count("\n"), handout)
    if left := _MARK.search(rest):
        line = rest.count("\n", 0, left.start()) + 1
        raise ConfigError(text("release.handout_marks"), file=file, line=line)
    said = _EITHER.sub(lambda found: found["said"], handout)
    return _COMMAND.sub(lambda found: f"{found['indent'] or ''}%grade ", _LINK_LINE.sub("", said))
