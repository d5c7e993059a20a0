"""A picture that a box has made, made one that a browser can be given: nothing of it is decoded here.

SECURITY: the bytes are of the student's making. A browser takes memory by the size that the header names, and programs
read what else a file may hold: text, colour profiles that unpack to gigabytes, animations, another file behind the end.
So the size is bounded, and what is handed on is written anew from the chunks that make the picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from autograder.box.screen import FIGURE_BYTES, MOST_PIXELS, MOST_SIDE

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")  # width, height, depth, colour, compression, filter, interlace
_LENGTH = struct.Struct(">I")
_AROUND = 12  # bytes of a chunk besides what it holds: length, kind, checksum
_COLOURS = frozenset([0, 2, 3, 4, 6])
_KEPT = frozenset([b"IHDR", b"PLTE", b"tRNS", b"IDAT"])


def clean_png(claim: bytes) -> bytes:
    """Return a picture with nothing in it but the picture; empty where it is none, or too large."""
    if len(claim) > FIGURE_BYTES or not claim.startswith(_SIGNATURE):
        return b""
    kept = [(kind, held) for kind, held in _chunks(claim) if kind in _KEPT]
    kinds = [kind for kind, _ in kept]
    if kinds[:1] != [b"IHDR"] or kinds.count(b"IHDR") != 1 or b"IDAT" not in kinds or not _may_be_shown(kept[0][1]):
        return b""
    return _SIGNATURE + b"".join(_chunk(kind, held) for kind, held in [*kept, (b"IEND", b"")])


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind of each chunk, and what it holds, up to the end, or to one that is not whole."""
    at = len(_SIGNATURE)
    while at + _AROUND <= len(png):
        (length,) = _LENGTH.unpack_from(png, at)
        kind, held = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if len(held) != length or kind == b"IEND":
            return
        yield kind, held
        at += length + _AROUND


def _may_be_shown(header: bytes) -> bool:
    if len(header) != _HEADER.size:
        return False
    width, height, depth, colour, *methods = _HEADER.unpack(header)
    is_known = depth == 8 and colour in _COLOURS and not any(methods)  # noqa: PLR2004 - as matplotlib writes them
    return is_known and 0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE and width * height <= MOST_PIXELS


def _chunk(kind: bytes, held: bytes) -> bytes:
    return _LENGTH.pack(len(held)) + kind + held + _LENGTH.pack(zlib.crc32(kind + held))
