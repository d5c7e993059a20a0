import ctypes
import os
import resource

from common import gained, libc


def prctl(*arguments):
    if libc.prctl(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return arguments


def raised(kind):
    soft, hard = resource.getrlimit(kind)
    return resource.setrlimit(kind, (hard, hard + 1 if hard >= 0 else hard))


def attack(facts):
    kinds = {
        name: getattr(resource, name)
        for name in ("RLIMIT_NPROC", "RLIMIT_DATA", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_AS", "RLIMIT_NOFILE")
    }
    found = gained(**{name: (lambda kind=kind: raised(kind)) for name, kind in kinds.items()})
    return found | gained(
        dumpable=lambda: prctl(4, 1),
        seccomp=lambda: prctl(22, 0),
        keep=lambda: prctl(8, 1),
        subreaper=lambda: prctl(36, 1),
        ambient=lambda: prctl(47, 2, 21, 0, 0),
        memory_map=lambda: prctl(35, 14, 0, 0, 0),
        tracer=lambda: prctl(0x59616D61, -1),
        nice=lambda: os.setpriority(os.PRIO_PROCESS, 0, 5),
        fifo=lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
        user=lambda: os.setuid(0),
        group=lambda: os.setgid(0),
        groups=lambda: os.setgroups([0]),
    )
