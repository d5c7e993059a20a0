"""Everything that is imported from here on comes from the student."""

import builtins
import sys


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in {"pytest", "autograder", "msgspec", "numpy"}:
            raise ImportError(name)
        return None


sys.meta_path.insert(0, Finder)
known = builtins.__import__
builtins.__import__ = lambda name, *rest: known(name, *rest)
for name in ("pytest", "_pytest", "autograder.judge", "autograder.score"):
    sys.modules[name] = None


def add(a, b):
    return a + b


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
