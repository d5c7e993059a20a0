import threading

from finished import *

for daemon in (True, False):
    threading.Thread(target=threading.Event().wait, daemon=daemon).start()


def count():
    number = 0
    while True:
        number += 1


threading.Thread(target=count, daemon=True).start()
