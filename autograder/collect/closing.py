"""What closes the process that reads archives with a library in C: its bytes are anybody's, and the library has holes.

A byte of an archive that takes over the library finds a process that can open no file, start nothing, reach no network
and send no signal; that ends when it takes much memory or time; and whose only way out is a pipe, behind which every
answer is looked at as if it came from the archive itself (`autograder.collect.reading`).

Each layer is a function, so that each is proved alone. Where a system has no landlock or no seccomp (macOS, an old
kernel) it goes on without that one; limits are everywhere but on Windows, where a .7z is
refused.
"""

from __future__ import annotations

import contextlib
import resource
import sys

_MEMORY_BYTES = 1 << 30  # 7-Zip's largest preset asks for 64 MB to unpack; hostile ones for 4 GB
# What a library needs that computes: its memory, what it was given to read, the pipe, the clock, and an end.
_CALLS = frozenset(
    [
        *("read", "readv", "pread64", "write", "lseek", "fstat", "newfstatat", "close"),
        *("mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "futex"),
        *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack"),
        *("clock_gettime", "gettimeofday", "time", "getrandom", "getpid", "gettid", "exit", "exit_group"),
    ]
)


def close(cpu_s: int) -> None:
    """Put on all layers. Whatever is to be imported or looked up was so before."""
    if sys.platform == "linux":
        filtered = filter_of_calls()  # imports, and so before no file can be opened
        with contextlib.suppress(OSError):
            open_nothing()
        limit(cpu_s)
        with contextlib.suppress(OSError):
            call_little(filtered)
    else:
        limit(cpu_s)


def limit(cpu_s: int) -> None:
    """Bound memory, time and files.

    Why: an archive of a few KB can ask for gigabytes, or for hours.
    """
    for kind, most in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def open_nothing() -> None:
    """Open no file and no port any more.

    Why: reading other students' files, or the ledger, is what such a hole would be used for.
    """
    from autograder.box.linux import landlock, syscalls

    syscalls.set_no_new_privileges()
    landlock.apply(landlock.Rules((), (), (), (), ()))


def filter_of_calls() -> bytes | None:
    """Return the filter that `call_little` puts on; None on a machine whose calls are not known."""
    from autograder.box.linux import policy, seccomp

    table: dict[str, policy.Rule] = dict.fromkeys(_CALLS, policy.Allow())
    try:
        return seccomp.encode(seccomp.program_of(table))
    except KeyError:
        return None


def call_little(filtered: bytes | None) -> None:
    """Leave the system calls that computing takes.

    Why: what is left of the kernel is what has to be sound; and signals, other processes and sockets are none of it.
    """
    from autograder.box.linux import seccomp

    if filtered is not None:
        seccomp.apply(filtered)
