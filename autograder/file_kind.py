"""What a file really is, by its first bytes: people rename Word documents and notebooks to .py."""

from __future__ import annotations

_MOST_LOOKED_AT = 1 << 20  # bytes; an office document names its parts at its beginning
_BEGINNINGS = (
    (b"%PDF", "PDF"),
    (b"{\\rtf", "RTF"),
    (b"\xd0\xcf\x11\xe0", "Microsoft Office"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x89HDF", "HDF5"),
)
_ZIP = b"PK\x03\x04"
# What is a ZIP as well: a name that only such a file has in it.
_ZIPPED = ((b"word/", "Word"), (b"xl/", "Excel"), (b"ppt/", "PowerPoint"), (b"/data.pkl", "PyTorch"))
_COMPILED = b"\r\n"  # after two bytes that change with Python's version

ARCHIVES = frozenset(["ZIP", "RAR", "7z", "gzip"])
ARCHIVE_SUFFIXES = frozenset([".rar", ".7z", ".gz", ".tgz", ".tar", ".bz2", ".xz"])


def other_kind(content: bytes) -> str:
    """Return the name of the format that is no text, as people know it; empty where it may be source."""
    if content.startswith(_ZIP):
        head = content[:_MOST_LOOKED_AT]
        return next((kind for mark, kind in _ZIPPED if mark in head), "ZIP")
    if content[2:4] == _COMPILED and 0 in content[4:16]:
        return "compiled Python (.pyc)"
    return next((kind for beginning, kind in _BEGINNINGS if content.startswith(beginning)), "")


def is_notebook(content: bytes) -> bool:
    """Whether the content is a notebook's, whatever the file is called."""
    return (
        content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"cells"' in content and b'"nbformat"' in content
    )
