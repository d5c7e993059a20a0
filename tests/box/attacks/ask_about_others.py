import os
import resource

from common import gained


def attack(facts):
    """Calls that take a process id: what another process may use, where it runs, and to change it."""
    found = {}
    for who in ("judge", "neighbour"):
        pid = facts[who]
        found |= gained(
            **{
                f"{who}'s limits": lambda pid=pid: resource.prlimit(pid, resource.RLIMIT_AS),
                f"{who}'s processors": lambda pid=pid: os.sched_setaffinity(pid, os.sched_getaffinity(pid)),
                f"{who}'s scheduler": lambda pid=pid: os.sched_getscheduler(pid),
                f"{who}'s group": lambda pid=pid: os.getpgid(pid),
                f"{who}'s session": lambda pid=pid: os.getsid(pid),
                f"{who}'s priority": lambda pid=pid: os.getpriority(os.PRIO_PROCESS, pid),
            }
        )
    return found
