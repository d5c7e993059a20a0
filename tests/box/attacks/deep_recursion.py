import sys


def attack(facts):
    """Python's stack ends where it ends, whatever limit is set."""
    sys.setrecursionlimit(10**9)

    class Deep:
        def __repr__(self):
            return repr([self])

    return repr(Deep())
