import os

from common import gained, read


def attack(facts):
    """Init holds the socket that evidence is sent on."""
    return gained(
        environ=lambda: read("/proc/1/environ"),
        maps=lambda: read("/proc/1/maps"),
        mem=lambda: read("/proc/1/mem"),
        descriptors=lambda: os.listdir("/proc/1/fd"),
        link=lambda: os.readlink("/proc/1/fd/4"),
        root=lambda: os.listdir("/proc/1/root"),
        auxv=lambda: read("/proc/1/auxv"),
    )
