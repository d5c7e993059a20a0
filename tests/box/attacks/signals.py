import os
import signal

from common import gained


def attack(facts):
    return gained(
        judge=lambda: os.kill(facts["judge"], 0),
        group=lambda: os.killpg(facts["judge"], 0),
        neighbour=lambda: os.kill(facts["neighbour"], signal.SIGKILL),
        parent=lambda: os.kill(os.getppid() or 10**6, 0) if os.getppid() != 1 else (_ for _ in ()).throw(OSError()),
        all=lambda: os.kill(-1, 0),
    )
