import os

from common import gained


def attack(facts):
    """The devices are the machine's own: who may use them, and when they were changed."""
    return gained(
        mode=lambda: os.chmod("/dev/null", os.stat("/dev/null").st_mode),
        time=lambda: os.utime("/dev/zero", ns=(os.stat("/dev/zero").st_atime_ns, os.stat("/dev/zero").st_mtime_ns)),
    )
