import os
import time


def attack(facts):
    """Leave a process behind that has left its session, its parent and its descriptors."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 256)
            while True:
                time.sleep(1)
        os._exit(0)
    os.wait()
    os._exit(0)
