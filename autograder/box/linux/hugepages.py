"""Huge pages: a process that is forked often has its memory in pieces of 2 MB, where it can.

A fork copies a table of the memory's pages and not the memory; of a process with torch in it those are 50,000 entries,
5 ms, and as many to take apart when the box ends. In huge pages the same memory is a hundred. What a forked process
then writes to is still copied 4 KB at a time.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from autograder.box.linux.syscalls import call

_COLLAPSE = 25  # MADV_COLLAPSE: now, where the kernel by itself might do it in some minutes; since Linux 6.1
_BYTES = 2 << 20  # of a huge page of x86-64; of ARM64 with pages of 4 KB, too


def gather() -> int:
    """Have this process's own memory moved to huge pages, and return how many there are; best before the first fork.

    Takes the processor half a second for torch, on machines whose memory is made up by a host; a tenth elsewhere.
    """
    made = 0
    for address in candidates(Path("/proc/self/maps").read_text()):
        with contextlib.suppress(OSError):  # nothing of it is used, or no huge page is free: it stays as it is
            call("madvise", address, _BYTES, _COLLAPSE)
            made += 1
    return made


def candidates(maps: str) -> list[int]:
    """Return the addresses of the memory that could be huge pages, from the text of /proc/self/maps."""
    found: list[int] = []
    for line in maps.splitlines():
        words = line.split(maxsplit=5)
        begin, end = (int(address, 16) for address in words[0].split("-"))
        if words[1] == "rw-p" and (len(words) < 6 or words[5] == "[heap]"):  # noqa: PLR2004 - no name: no file
            found += range(-(-begin // _BYTES) * _BYTES, end // _BYTES * _BYTES, _BYTES)
    return found
