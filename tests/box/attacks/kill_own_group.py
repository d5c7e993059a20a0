import os


def attack(facts):
    os.kill(0, 9)
