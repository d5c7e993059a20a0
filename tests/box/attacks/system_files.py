import os

from common import gained, read

PLACES = [
    "/etc/shadow",
    "/etc/ssh",
    "/etc/hostname",
    "/etc/machine-id",
    "/root/.ssh",
    "/home",
    "/var/log",
    "/run",
    "/sys/kernel",
    "/boot",
    "/opt",
    "/srv",
    "/mnt",
    "/proc/kcore",
    "/proc/kallsyms_all",
    "/dev/sda",
    "/dev/vda",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/fuse",
    "/dev/kvm",
    "/dev/tty",
    "/dev/ptmx",
]


def look(path):
    return os.listdir(path) if os.path.isdir(path) else read(path, 64)


def attack(facts):
    return gained(**{path: (lambda path=path: look(path)) for path in PLACES})
