import socket
import threading

from common import gained


def attack(facts):
    """Wait for somebody of the machine to call."""

    def listen(family, address):
        server = socket.socket(family)
        server.bind(address)
        server.listen()
        threading.Thread(target=server.accept, daemon=True).start()
        return server.getsockname()

    abstract = "\0own-" + facts["abstract"]
    found = gained(port=lambda: listen(socket.AF_INET, ("127.0.0.1", 0)), six=lambda: listen(socket.AF_INET6, ("::1", 0)))
    gained(own=lambda: listen(socket.AF_UNIX, abstract))  # in its own network, where nobody else is
    return found
