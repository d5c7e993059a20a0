import mmap
import time


def attack(facts):
    """Shared pages count in no limit of a process."""
    held = []
    while sum(map(len, held)) < 1 << 30:
        pages = mmap.mmap(-1, 64 << 20)
        for at in range(0, len(pages), 4096):
            pages[at] = 1
        held.append(pages)
    time.sleep(60)
