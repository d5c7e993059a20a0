import os

from common import gained, system_call


def attack(facts):
    """Push in front of the others, or go where the accounts are not kept."""
    return gained(
        io=lambda: system_call(251, 1, 0, (1 << 13) | 0),
        batch=lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
        round_robin=lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)),
        nice=lambda: os.nice(-5),
    )
