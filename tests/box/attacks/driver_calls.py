import fcntl
import os
import socket
import struct

from common import gained

FS_IOC_GETFLAGS, SIOCGIFCONF, FIBMAP, TIOCSTI = 0x80086601, 0x8912, 1, 0x5412


def attack(facts):
    """Whatever answers to ioctl: file systems, network interfaces, terminals."""
    file = os.open(os.__file__, os.O_RDONLY)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    return gained(
        flags=lambda: fcntl.ioctl(file, FS_IOC_GETFLAGS, bytes(8)),
        interfaces=lambda: fcntl.ioctl(sock, SIOCGIFCONF, struct.pack("iP", 0, 0)),
        block=lambda: fcntl.ioctl(file, FIBMAP, bytes(4)),
        type=lambda: fcntl.ioctl(0, TIOCSTI, b"x"),
    )
