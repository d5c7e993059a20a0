import threading
import time


def attack(facts):
    count = 0
    try:
        while count < 100_000:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
            count += 1
    except RuntimeError:
        pass
    return {} if count < 300 else {"threads": count}
