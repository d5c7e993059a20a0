import faulthandler
import time


def attack(facts):
    """A thread of C, which holds no lock of Python's, writes to the channel."""
    faulthandler.dump_traceback_later(0.1, file=3)
    time.sleep(1000)
