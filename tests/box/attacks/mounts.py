import ctypes
import os

from common import gained, libc, system_call


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def attack(facts):
    os.makedirs("here", exist_ok=True)
    return gained(
        tmpfs=lambda: check(libc.mount(b"tmpfs", b"here", b"tmpfs", 0, None)),
        bind=lambda: check(libc.mount(b"/", b"here", None, 4096, None)),
        proc=lambda: check(libc.mount(b"proc", b"here", b"proc", 0, None)),
        writable=lambda: check(libc.mount(None, b"/", None, 32 | 4096, None)),
        uncover=lambda: check(libc.umount2(b"/proc", 2)),
        uncover_scratch=lambda: check(libc.umount2(b"/scratch", 2)),
        chroot=lambda: os.chroot("here"),
        pivot=lambda: system_call(155, b".", b"."),
        fsopen=lambda: system_call(430, b"tmpfs", 0),
        open_tree=lambda: system_call(428, -100, b"/", 1),
        move_mount=lambda: system_call(429, -100, b"/", -100, b"here", 0),
    )
