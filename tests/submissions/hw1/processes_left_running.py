import os
import signal
import subprocess
import sys

from finished import *

WAIT = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", WAIT])
subprocess.Popen([sys.executable, "-c", WAIT], env={}, start_new_session=True, close_fds=False)


def xor(input_vec):
    parent = os.fork()
    if parent == 0:
        os.setsid()
        if os.fork() == 0:  # a daemon by the book
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.alarm(60)
            signal.pause()
        os._exit(0)
    os.waitpid(parent, 0)
    return int(input_vec[0] != input_vec[1])
