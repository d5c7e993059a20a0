import os

from common import when_answered


def attack(facts):
    """Answer, and be gone when the next question comes."""
    when_answered(lambda: os._exit(0))
    return {}
