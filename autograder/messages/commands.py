"""Commands that a message tells the user to type."""

from __future__ import annotations

import re
import shlex
import sys

_PLAIN = re.compile(r"[\w@%+=:,./-]+")  # shlex would put quotes around Chinese names, too


def quoted(path: object) -> str:
    """Return a path as it is typed in a command."""
    said = str(path)
    if sys.platform == "win32":
        return f'"{said}"' if " " in said else said
    return said if _PLAIN.fullmatch(said) else shlex.quote(said)
