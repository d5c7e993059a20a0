import os
import platform
import socket


def attack(facts):
    """What tells one machine from another."""
    said = {
        "host": socket.gethostname(),
        "node": platform.node(),
        "user": os.getuid(),
        "folder": os.getcwd(),
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
    }
    return {name: value for name, value in said.items() if value not in ("box", 1000, "/scratch/work", 2)}
