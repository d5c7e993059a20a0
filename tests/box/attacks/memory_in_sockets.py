import contextlib
import socket


def larger(sock):
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)


def attack(facts):
    """What lies in sockets is the kernel's memory."""
    total, kept = 0, []
    try:
        while total < 1 << 30:
            ours, theirs = socket.socketpair()
            kept += [ours, theirs]
            larger(ours)
            ours.setblocking(False)
            while True:
                try:
                    total += ours.send(bytes(1 << 16))
                except BlockingIOError:
                    break
    except OSError:
        pass
    return {} if total < 128 << 20 else {"bytes": total}
