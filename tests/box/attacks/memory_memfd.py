import os

from common import gained, system_call


def attack(facts):
    return gained(memfd=lambda: os.memfd_create("x"), secret=lambda: system_call(447, 0))
