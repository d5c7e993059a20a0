import os


def attack(facts):
    while True:
        os.write(2, bytes(65536))
