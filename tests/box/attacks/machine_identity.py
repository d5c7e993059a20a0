import os

from common import gained, read


def attack(facts):
    """Whose machine it is, and who works on it."""
    found = gained(
        machine=lambda: read("/etc/machine-id"),
        host=lambda: read("/etc/hostname"),
        users=lambda: [line for line in read("/etc/passwd").splitlines() if b"/root:" in line] or os.stat("/nowhere"),
        shadow=lambda: read("/etc/shadow"),
        names=lambda: read("/etc/resolv.conf"),
        logins=lambda: read("/run/utmp"),
        hardware=lambda: os.listdir("/sys/class"),
        groups=lambda: os.listdir("/sys/fs/cgroup"),
        homes=lambda: os.listdir("/home"),
        logs=lambda: os.listdir("/var/log"),
        running=lambda: os.listdir("/run"),
    )
    return {name: came for name, came in found.items() if came not in {"b''", "[]"}}
