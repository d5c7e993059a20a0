import _thread


def attack(facts):
    """What Ctrl-C raises ends no worker."""
    _thread.interrupt_main()
    for _ in range(10**6):
        pass
