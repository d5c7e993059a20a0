"""Huge pages: which memory could be some, and that it is afterwards."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

import pytest

from autograder.box.linux import hugepages
from tests.box.linux.conftest import in_fork

MB = 1 << 20
MAPS = """\
555555400000-555555a00000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f00000ff000 rw-p 00000000 00:00 0
7f0000100000-7f0000900000 rw-p 00000000 00:00 0
7f0001000000-7f0002000000 r--p 00000000 00:00 0
7f0003000000-7f0004000000 rw-s 00000000 00:01 5                          /dev/zero (deleted)
7f0005000000-7f0006000000 rw-p 00000000 08:01 9                          /usr/lib/libtorch.so
7ffc00000000-7ffc00400000 rw-p 00000000 00:00 0                          [stack]
"""


def test_whole_huge_pages_of_memory_without_a_file_are_candidates():
    assert hugepages.candidates(MAPS) == [
        0x555555400000, 0x555555600000, 0x555555800000, 0x7F0000200000, 0x7F0000400000, 0x7F0000600000,
    ]  # fmt: skip


def huge_kb() -> int:
    return sum(map(int, re.findall(r"^AnonHugePages: +(\d+)", Path("/proc/self/smaps").read_text(), re.MULTILINE)))


def test_memory_is_gathered_and_keeps_what_is_in_it():
    def gather() -> list[object]:
        held = mmap.mmap(-1, 16 * MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        held.madvise(mmap.MADV_NOHUGEPAGE)  # there are systems that give huge pages to whoever asks for none
        for at in range(0, len(held), mmap.PAGESIZE):
            held[at] = at // mmap.PAGESIZE % 251
        held.madvise(mmap.MADV_HUGEPAGE)  # it may have some again
        before = huge_kb()
        made = hugepages.gather()
        kept = all(held[at] == at // mmap.PAGESIZE % 251 for at in range(0, len(held), mmap.PAGESIZE))
        return [made, huge_kb() - before, kept]

    made, more_kb, kept = in_fork(gather).value
    assert kept
    if not made:
        pytest.skip("this kernel gives no huge pages now")
    assert more_kb > 0
