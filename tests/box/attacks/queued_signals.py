import signal
import threading


def attack(facts):
    """Signals that wait are counted for each user, and timers with them: the neighbours must not run out of them."""
    kept = signal.SIGRTMIN
    signal.pthread_sigmask(signal.SIG_BLOCK, [kept])
    count = 0
    try:
        while count < 3000:
            signal.pthread_kill(threading.get_ident(), kept)
            count += 1
    except OSError:  # no more are kept
        pass
    return {} if count < 2000 else {"queued": count}
