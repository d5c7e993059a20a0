"""Names of files as systems keep them: bytes in nobody says which encoding."""

from __future__ import annotations


def file_name(raw: bytes) -> str:
    """Return a name as text: UTF-8, else GB18030, as Chinese Windows writes it, else with replacements."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode(errors="replace")
