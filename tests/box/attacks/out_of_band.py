import socket

from common import gained


def attack(facts):
    """A corner of the kernel that led out of the browsers' boxes."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(0.1)
    return gained(send=lambda: ours.send(b"x", socket.MSG_OOB), receive=lambda: theirs.recv(1, socket.MSG_OOB))
