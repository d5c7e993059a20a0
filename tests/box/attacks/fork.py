import multiprocessing
import os

from common import gained


def attack(facts):
    def fork():
        if os.fork() == 0:
            os._exit(0)
        return 1

    def pool():
        with multiprocessing.get_context("fork").Pool(1) as workers:
            return workers.map(abs, [1])

    return gained(fork=fork, pool=pool, pty=os.forkpty)
