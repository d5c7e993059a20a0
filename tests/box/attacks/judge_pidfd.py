import os
import socket
import struct

from common import channel, gained

SO_PEERCRED, SO_PEERPIDFD = 17, 77


def attack(facts):
    """The channel's other end is the judge's: the kernel gives out who that is, and a descriptor of it."""
    sock = channel()

    def descriptor():
        return struct.unpack("i", sock.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD, 4))

    def number():
        pid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, SO_PEERCRED, 12))[0]
        return pid or os.stat("/nowhere")

    return gained(descriptor=descriptor, number=number)
