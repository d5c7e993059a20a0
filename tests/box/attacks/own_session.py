import os
import time


def attack(facts):
    """Get away from whoever kills by process group, session or terminal."""
    try:
        os.setsid()
    except PermissionError:
        os.setpgid(0, 0)
    os.chdir("/")
    os.environ.clear()
    while True:
        time.sleep(1000)
