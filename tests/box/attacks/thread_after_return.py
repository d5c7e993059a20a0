import os

from common import when_answered


def attack(facts):
    """Answer now, and write garbage to the channel later."""
    when_answered(lambda: os.write(3, b"garbage" * 1000))
    return {}
