import os

from common import gained


def attack(facts):
    """What a process may set of itself by its files in /proc: how it is scheduled, dumped, named and counted."""

    def written(name, content):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            return os.write(descriptor, content)
        finally:
            os.close(descriptor)

    values = {
        "autogroup": b"0",
        "sched": b"0",
        "coredump_filter": b"0x7f",
        "clear_refs": b"1",
        "comm": b"\x1b[2J",
        "oom_adj": b"-17",
        "attr/current": b"unconfined",
        "attr/exec": b"unconfined",
        "loginuid": b"0",
        "projid_map": b"0 0 1",
        "timens_offsets": b"monotonic 1000 0",
        "make-it-fail": b"1",
        "latency": b"0",
    }
    return gained(**{name: (lambda name=name, value=value: written(name, value)) for name, value in values.items()})
