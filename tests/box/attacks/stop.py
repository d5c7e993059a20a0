import os
import signal


def attack(facts):
    os.kill(os.getpid(), signal.SIGSTOP)
