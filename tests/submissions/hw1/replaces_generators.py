import random
import signal

from finished import *

import numpy as np

random.seed = np.random.seed = None
signal.signal(signal.SIGINT, signal.SIG_IGN)
