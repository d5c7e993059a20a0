import ctypes
import signal


def attack(facts):
    """A crash that is handled comes back to where it crashed, for ever."""
    signal.signal(signal.SIGSEGV, lambda *_: None)
    ctypes.string_at(0)
