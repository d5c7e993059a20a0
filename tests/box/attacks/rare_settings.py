import ctypes

from common import gained, libc

# prctl's of late, and those that nobody knows: each is a way into a part of the kernel that no training needs.
NUMBERS = {
    "tsc": (26, 1),
    "timer slack": (29, 1),
    "perf": (31,),
    "machine checks": (33, 1, 1, 0, 0),
    "subreaper": (36, 1),
    "address tags": (55, 1, 0, 0, 0),
    "io flusher": (57, 1, 0, 0, 0),
    "call dispatch": (59, 0, 0, 0, 0),
    "core scheduling": (62, 1, 0, 0, 0),
    "execute and write": (65, 1, 0, 0, 0),
    "merge memory": (67, 1, 0, 0, 0),
    "futex hash": (78, 1, 4, 0, 0),
    "speculation": (53, 0, 4, 0, 0),
    "death signal": (1, 9),
}


def attack(facts):
    def changed(arguments):
        if libc.prctl(*map(ctypes.c_ulong, arguments)) < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return arguments

    return gained(**{name: (lambda given=given: changed(given)) for name, given in NUMBERS.items()})
