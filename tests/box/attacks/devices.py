import os
import stat

from common import gained


def attack(facts):
    return gained(
        null=lambda: os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3)),
        memory=lambda: os.mknod("mem", stat.S_IFCHR | 0o666, os.makedev(1, 1)),
        disk=lambda: os.mknod("disk", stat.S_IFBLK | 0o666, os.makedev(254, 0)),
    )
