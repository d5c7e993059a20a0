import signal
import sys

from finished import *

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
sys.exit = None
while True:
    try:
        input()
    except BaseException:
        pass
