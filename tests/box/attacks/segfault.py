import ctypes


def attack(facts):
    ctypes.string_at(0)
