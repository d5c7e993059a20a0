import os


def attack(facts):
    os.closerange(0, 4096)
    return {}
