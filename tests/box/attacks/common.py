"""What the attacks share. Handed in beside each of them."""

import ctypes
import os
import socket
import stat
import subprocess
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)


def gained(**attempts):
    """Return what the attempts that did not fail came to, by name."""
    found = {}
    for name, attempt in attempts.items():
        try:
            came = attempt()
        except (OSError, ValueError, RuntimeError, MemoryError, EOFError, subprocess.SubprocessError):
            continue
        found[name] = repr(came)[:500]
    return found


def system_call(number, *arguments):
    """Make a system call by its number, or raise the error that it gives."""
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def when_answered(do):
    """Do something in a thread as soon as the answer is sent: when the worker waits for the next question."""
    worker = threading.main_thread().ident

    def later():
        while not waits(sys._current_frames()[worker]):
            time.sleep(0.001)
        do()

    threading.Thread(target=later, daemon=True).start()


def waits(frame):
    """Whether a function is on the stack that fills a buffer from the channel."""
    while frame is not None and frame.f_code.co_name != "_fill":
        frame = frame.f_back
    return frame is not None


def channel():
    """Return a copy of the socket that leads to the judge."""
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                return socket.socket(fileno=os.dup(number))
        except OSError:
            continue
    raise OSError("no socket")


def read(path, size=4096):
    with open(path, "rb") as file:
        return file.read(size)


def write(path, content=b"x"):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        return os.write(descriptor, content)
    finally:
        os.close(descriptor)
