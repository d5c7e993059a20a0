from common import gained, system_call


def attack(facts):
    return gained(getpid=lambda: system_call(0x40000000 | 39), execve=lambda: system_call(0x40000000 | 520, 0, 0, 0))
