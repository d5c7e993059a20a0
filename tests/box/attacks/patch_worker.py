import sys


def attack(facts):
    """Make the worker say what it is told: it is this box's own, and what it says is a claim."""
    worker = sys.modules["autograder.box.worker"]
    worker.Worker._perform = lambda *_: "forged"
    worker.Returned = lambda **_: None
    return {}
