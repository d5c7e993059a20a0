"""Names for the cases of a test."""

from __future__ import annotations

import re


def named(value: object) -> str:
    """Return a value's repr without its address: two processes that share out the tests have to agree on the names."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
