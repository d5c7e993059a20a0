import os
import signal
import time


def attack(facts):
    """Init ignores what its own children send, where they may send anything at all."""
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSEGV, signal.SIGINT):
        try:
            os.kill(1, number)
        except PermissionError:
            pass
    time.sleep(0.2)
    return {} if os.path.exists("/proc/1") else {"init": "gone"}
