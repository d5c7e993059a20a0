import _thread
import signal


def attack(facts):
    """What Ctrl-C raises ends no worker."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _thread.interrupt_main()
    for _ in range(10**6):
        pass
