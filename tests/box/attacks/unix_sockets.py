import socket

from common import gained


def attack(facts):
    """Sockets without a file, and those with one, of services of the machine."""

    def reach(address):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(2)
            return sock.connect(address)

    return gained(
        abstract=lambda: reach("\0" + facts["abstract"]),
        path=lambda: reach(facts["socket"]),
        bus=lambda: reach("/run/dbus/system_bus_socket"),
        docker=lambda: reach("/var/run/docker.sock"),
    )
