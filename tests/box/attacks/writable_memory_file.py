import os

from common import gained


def attack(facts):
    """Change the code that all boxes share: the kernel writes to /proc/self/mem whatever the page's rights are."""
    start = next(int(line.split("-")[0], 16) for line in open("/proc/self/maps") if " r-xp " in line and "libc" in line)

    def patch():
        descriptor = os.open("/proc/self/mem", os.O_RDWR)
        os.lseek(descriptor, start, os.SEEK_SET)
        first = os.read(descriptor, 1)
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.write(descriptor, first)

    return gained(patch=patch)
