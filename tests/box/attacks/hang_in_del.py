import time


class Stays:
    def __del__(self):
        time.sleep(1000)


kept = [Stays() for _ in range(3)]
kept.append(kept)


def attack(facts):
    """What is collected when the module goes hangs; the box ends nonetheless."""
    return {}
