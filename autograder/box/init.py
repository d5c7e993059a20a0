"""Init of a sealed box, pid 1 of its pid namespace: reaps, answers refused calls, tells how the worker ended.

    worker ── its filter's listener, once ──▶ init ── REFUSED, USAGE, EXITED ──▶ judge   (status socket, messages)
              ◀── the errno of each refusal ──     ◀── FORGET, ASK ─────────────

One thread and one poll, and each turn of it first reaps, so that no flood of refused calls keeps the worker's end from
being told. A call is told of once, until the judge says FORGET: there are a few messages to read, however many calls
there were. After so many calls the listener is closed, and the kernel answers by itself (ENOSYS). Where processes are
allowed each fork comes by here, too, and is carried out while there are not too many (`linux.forks`).

SECURITY: what init says is evidence, because nothing of the student's runs in it: it can't be traced or read (not
dumpable, in another user namespace than its children could enter), and takes nothing from them but the numbers that the
kernel gives. All it does for them is refuse, and let forks be carried out, which it decides by a register.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from autograder.box.linux import forks, mounts, refusals
from autograder.box.linux.syscalls import call

# Messages on the status socket, by their first byte; the zygote's and those of the setup are in `seal`.
EXITED = b"x"  # how the worker ended, then what was used
REFUSED = b"r"  # the number of a call
USAGE = b"u"  # what the scratch folder holds, as an answer
FORGET, ASK = b"f", b"a"  # from the judge: tell of refusals anew; tell what is used
NUMBER = struct.Struct("<i")
_SIZES = struct.Struct("<qq")

_MESSAGE_BYTES = 16
_TAKEN = b"t"


class Room(NamedTuple):
    """What the files of a box take."""

    disk_bytes: int
    files: int


def unpack_exit(content: bytes) -> tuple[int, Room | None]:
    """Return the exit status, and what was used where that is told, from an EXITED message."""
    (status,) = NUMBER.unpack(content[: NUMBER.size])
    usage = content[NUMBER.size :]
    return status, unpack_usage(usage) if usage else None


def unpack_usage(content: bytes) -> Room:
    """Return what was used, from a USAGE message."""
    return Room(*_SIZES.unpack(content))


class Init:
    """What pid 1 of a box does until the worker ends.

    Args:
        worker: its pid.
        status: the socket to the judge, by number.
        handover: the socket that the worker sends its listener through, by number.
        errors: what refused calls are answered with, by the call's number.
        processes: how many may be there besides the worker.
    """

    def __init__(self, worker: int, status: int, handover: int, errors: Mapping[int, int], processes: int = 0) -> None:
        self._worker = worker
        self._status = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=status)
        self._handover = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=handover)
        self._errors = errors
        self._forks = forks.forks()
        self._processes, self._fork_count = processes, forks.ForkCount(processes)
        self._listener: refusals.Listener | None = None
        self._woken, self._waker = os.pipe()
        self._poll = select.poll()

    def serve(self) -> NoReturn:
        """Serve until the worker ends, or the judge is gone; everything else in the box ends with this process."""
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # ends nothing; without a handler no byte is written
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for descriptor in (self._woken, self._status.fileno(), self._handover.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        while True:
            self._reap()
            ready = [descriptor for descriptor, _ in self._poll.poll()]
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 1 << 12)
            # Before any refusal: what the judge said before a call must have been heard when the call is told of.
            self._heed()
            if self._handover.fileno() in ready:
                self._take_listener()
            if self._listener and self._listener.descriptor in ready:
                self._refuse(self._listener)

    def _reap(self) -> None:
        """Reap whatever has ended; with the worker, tell how and end."""
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG)  # there is a child: the worker is not reaped elsewhere
            if ended == 0:
                return
            if ended == self._worker:
                code = os.waitstatus_to_exitcode(status)
                self._status.send(EXITED + NUMBER.pack(code) + _SIZES.pack(*used()))
                os._exit(0)

    def _heed(self) -> None:
        try:
            while message := self._status.recv(_MESSAGE_BYTES, socket.MSG_DONTWAIT):
                if message == FORGET:
                    if self._listener:
                        self._listener.forget()
                elif message == ASK:
                    self._tell(USAGE + _SIZES.pack(*used()))
        except BlockingIOError:
            return
        os._exit(0)  # the judge has let go of the box

    def _take_listener(self) -> None:
        """Take the listener out of the worker, which waits: under its filter it can send no descriptors itself."""
        number = self._handover.recv(NUMBER.size)
        self._poll.unregister(self._handover)
        # Without a number the worker has ended before, or has no listener. Where it can't be taken (Yama's strictest
        # settings) nobody has it once the worker has let go, and the kernel answers by itself.
        with contextlib.suppress(OSError):
            if number:
                pidfd = os.pidfd_open(self._worker)
                self._listener = refusals.Listener(call("pidfd_getfd", pidfd, *NUMBER.unpack(number), 0))
                os.close(pidfd)
                self._poll.register(self._listener.descriptor, select.POLLIN)
            self._handover.send(_TAKEN)
        self._handover.close()

    def _refuse(self, listener: refusals.Listener) -> None:
        refusal = refusals.take(listener.descriptor)
        if refusal is None:
            return
        error = self._error_of(refusal)
        if not error:
            if refusals.let_through(listener.descriptor, refusal):
                self._fork_count.began(refusal.caller)
            return
        if listener.is_news(refusal):
            self._tell(REFUSED + NUMBER.pack(refusal.number))
        if listener.refuse(refusal, error):
            self._poll.unregister(listener.descriptor)
            listener.close()

    def _error_of(self, refusal: refusals.Refusal) -> int:
        """Return what to answer a call with; 0: it may be carried out, as a fork may that makes no more than allowed.

        Why: the kernel counts threads with processes, so its own limit is far above what an assignment says.
        """
        if not self._processes or not self._forks.includes(refusal):
            return self._errors.get(refusal.number, errno.EPERM)
        self._reap()  # orphans that have ended count no more
        return 0 if self._fork_count.allows(refusal.caller) else errno.EAGAIN

    def _tell(self, message: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # the judge does not read; then it need not know
            self._status.send(message, socket.MSG_DONTWAIT)


def hand_over(listener: int, handover: int) -> None:
    """Have init take the filter's listener (in the worker), and close it here.

    SECURITY: to be closed before the first byte of the student's is read; who has it can let calls through.
    """
    os.write(handover, NUMBER.pack(listener))
    os.read(handover, 1)
    os.close(listener)
    os.close(handover)


def used() -> Room:
    """Return what the files of the box take: its file system's own account."""
    found = os.statvfs(mounts.SCRATCH)
    return Room((found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree)
