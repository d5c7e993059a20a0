import os


def attack(facts):
    """Change how the descriptors behave that the worker writes to."""
    for number in range(4):
        os.set_blocking(number, False)
    try:
        for _ in range(1000):
            os.write(1, bytes(65536))
    except BlockingIOError:
        pass
    return {}
