import ctypes
import socket
import struct

from common import channel, gained

SO_ATTACH_FILTER = 26


def attack(facts):
    """Have the kernel compile a program of one's own, and run it for each packet."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0xFFFF))
    program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(code))
    own, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    judges = channel()
    return gained(
        own=lambda: own.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program),
        judges=lambda: judges.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program),
    )
