import os
import signal


def attack(facts):
    """Leave a process behind that has stopped, and so handles no signal."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os.kill(os.getpid(), signal.SIGSTOP)
    os.waitpid(child, os.WUNTRACED)
    os._exit(0)
