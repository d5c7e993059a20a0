"""Archives as people and attackers make them, byte for byte."""

from __future__ import annotations

import base64
import io
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

MODIFIED = (2026, 12, 6, 23, 59, 0)
# Two that 7-Zip wrote of `x = 1`, with a password: on the files, and on their names too.
ENCRYPTED_7Z = base64.b64decode(
    "N3q8ryccAARFy123EAAAAAAAAABqAAAAAAAAAJdK2rEzh6fG+5F6/UUmmCzffsYnAQQGAAEJEAAHCwEAAiQG8QcBElMPEihv06k5DvQeTTkv1P1UMCEh"
    "AQABAAwKBgAICgE7ifaLAAAFARkBABEPAG0AbABwAC4AcAB5AAAAGQQAAAAAFAoBAAljfc5ket0BFQYBACCApIEAAA=="
)
ENCRYPTED_NAMES_7Z = base64.b64decode(
    "N3q8ryccAAROETX4gAAAAAAAAAAuAAAAAAAAAB6YHaQ0NOR9rZtiFkVqN1XjPrsr7g9Syq/6IaNAKW35diE4l+gfmuX0dCeqPusNBBRqdnTLvEGWY8aJ"
    "Yo4hSPfOjzw0scFtkBYLZw37VZhOEeWYJBQ4ObJwTXUOgWmGW5e0K8RBfoAlXZ1sAY8VygsKe2CzXoPJIH0rRA6MwldsWsVMWRcGEAEJcAAHCwEAASQG"
    "8QcBElMPOCtU9PzOmvILsnvOvnqNgQxqCgGdvD/nAAA="
)
# One with a link to /etc/passwd, and mlp.py.
LINKED_7Z = base64.b64decode(
    "N3q8ryccAAT6/o+wfAAAAAAAAAAgAAAAAAAAAHp9dK0BABB4ID0gMQovZXRjL3Bhc3N3ZAAAAIEzB64Pz0tvjAfIQ39Bsfr95GF56W08phLVzm"
    "ReQbAz726KvvGTVEicpAaXw1t9yS9Vpw09sELWc+DuhTD6c6u57SBq8mmwUArmkyhm6kDsch33Ll3SmMn/AGEIJYi4bCcEgAAAFwYVAQlnAAcL"
    "AQABIwMBAQVdABAAAAxuCgExciCSAAA="
)


def zipped(files, method=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            entry = zipfile.ZipInfo(name, MODIFIED) if isinstance(name, str) else name
            archive.writestr(entry, content, method)
    return made.getvalue()


def zipped_as(raw, content=b"x = 1\n"):
    """A .zip whose one name is these bytes, without a word about their encoding."""
    placeholder = b"x" * len(raw)
    return zipped({placeholder.decode(): content}).replace(placeholder, raw)


def overlapping(count, content):
    """A .zip of which every entry is the same bytes: a list of many, and one file."""
    once = zipped({"a.py": content}, zipfile.ZIP_DEFLATED)
    directory = once.index(b"PK\1\2")
    end = once.index(b"PK\5\6")
    entry = once[directory:end]
    entries = b"".join(entry.replace(b"a.py", _digits(number)) for number in range(count))
    record = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, len(entries), directory, 0)
    return once[:directory] + entries + record


def _digits(number):
    return bytes([48 + number // 64**place % 64 for place in range(4)])


def tarred(files, mode="w:gz", kind=tarfile.REGTYPE):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = (len(content) if kind == tarfile.REGTYPE else 0), kind
            entry.linkname, entry.mtime = "/etc/passwd", 1_780_000_000
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def sevened(files):
    """A .7z, by libarchive."""
    import libarchive

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made.7z")
        with libarchive.file_writer(str(path), "7zip") as archive:
            for name, content in files.items():
                archive.add_file_from_memory(name, len(content), content, mtime=1_780_000_000)
        return path.read_bytes()


# --- .rar, version 5, without compression -----------------------------------------------------------------------------

RAR_BEGINNING = b"Rar!\x1a\7\1\0"
_MAIN, _FILE, _ENCRYPTION, _END = 1, 2, 4, 5


def _number(value):
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _block(kind, fields, content=None, extra=b"", flags=0):
    flags |= (1 if extra else 0) | (2 if content is not None else 0)
    sizes = (_number(len(extra)) if extra else b"") + (_number(len(content)) if content is not None else b"")
    header = _number(kind) + _number(flags) + sizes + fields + extra
    header = _number(len(header)) + header
    return struct.pack("<L", zlib.crc32(header)) + header + (content or b"")


def rared(files, *, volume=False, ends=True, link_to=""):
    """A .rar: files by their names, which may be bytes."""
    made = RAR_BEGINNING + _block(_MAIN, _number(1 if volume else 0))
    for name, content in files.items():
        raw = name if isinstance(name, bytes) else name.encode()
        redirection = (
            _number(5) + _number(1) + _number(0) + _number(len(link_to)) + link_to.encode() if link_to else b""
        )
        extra = _number(len(redirection)) + redirection if redirection else b""
        fields = (
            _number(0x2 | 0x4) + _number(len(content)) + _number(0o100644) + struct.pack("<L", 1_780_000_000)
            + struct.pack("<L", zlib.crc32(content)) + _number(0) + _number(1) + _number(len(raw)) + raw
        )  # fmt: skip
        # Goes on in the next volume.
        made += _block(_FILE, fields, content, extra, flags=0x10 if volume else 0)
    return made + (_block(_END, _number(1 if volume else 0)) if ends else b"")


def encrypted_rar():
    """A .rar whose headers are encrypted: what follows the first of them is noise."""
    fields = _number(0) + _number(0) + bytes([15]) + bytes(range(16))
    return RAR_BEGINNING + _block(_ENCRYPTION, fields) + bytes(range(200))
