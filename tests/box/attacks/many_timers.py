import ctypes

from common import libc


def attack(facts):
    """Timers and queued signals are counted for each user: the neighbours must not run out of them."""
    count, timer = 0, ctypes.c_void_p()
    library = libc if hasattr(libc, "timer_create") else ctypes.CDLL("librt.so.1", use_errno=True)
    while count < 3000 and library.timer_create(1, None, ctypes.byref(timer)) == 0:
        count += 1
    return {} if count < 2000 else {"timers": count}
