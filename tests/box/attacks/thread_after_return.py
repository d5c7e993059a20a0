import os
import threading
import time


def attack(facts):
    """Answer now, and write garbage to the channel later."""

    def later():
        time.sleep(0.2)
        os.write(3, b"garbage" * 1000)

    threading.Thread(target=later, daemon=True).start()
    return {}
