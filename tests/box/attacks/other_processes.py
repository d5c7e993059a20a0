import os

from common import gained, read


def attack(facts):
    """Look at every process that can be named."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    found = {}
    for pid in {*pids, facts["judge"], facts["neighbour"]} - {os.getpid()}:
        if pid == 1:
            continue
        found.update(
            gained(
                **{
                    f"{pid} {what}": (lambda pid=pid, what=what: read(f"/proc/{pid}/{what}"))
                    for what in ("environ", "cmdline", "mem", "maps", "stat")
                }
            )
        )
    return found
