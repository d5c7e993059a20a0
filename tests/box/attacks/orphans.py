import os


def attack(facts):
    """Give init hundreds of dead children to bury, and see whether it goes on."""
    for _ in range(100):
        child = os.fork()
        if child == 0:
            try:
                os.fork()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    return {} if os.path.exists("/proc/1") else {"init": "gone"}
