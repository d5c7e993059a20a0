import threading


def attack(facts):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
