import os


def attack(facts):
    """Become another program: the layers would stay, but the worker would be gone."""
    os.execv("/bin/true", ["true"])
