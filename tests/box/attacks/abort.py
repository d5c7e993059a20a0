import os


def attack(facts):
    os.abort()
