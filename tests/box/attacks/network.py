import socket
import urllib.request

from common import gained

FAMILIES = [
    "AF_INET",
    "AF_INET6",
    "AF_NETLINK",
    "AF_PACKET",
    "AF_ALG",
    "AF_VSOCK",
    "AF_BLUETOOTH",
    "AF_CAN",
    "AF_TIPC",
    "AF_QIPCRTR",
    "AF_KEY",
]


def attack(facts):
    def connect():
        return socket.create_connection(("127.0.0.1", facts["port"]), timeout=2)

    found = {}
    for name in FAMILIES:
        family = getattr(socket, name, None)
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            if family is not None:
                found |= gained(**{f"{name} {kind}": lambda: socket.socket(family, kind)})
    return found | gained(
        connect=connect,
        fetch=lambda: urllib.request.urlopen(f"http://127.0.0.1:{facts['port']}", timeout=2),
        names=lambda: socket.getaddrinfo("localhost.localdomain", 80),
    )
