"""Answers a restricted box's refused calls, in the judge: such a box has no init.

    worker ── its filter's listener, once ──▶ answerer
              ◀── the errno of each refused call ──

It is served by the thread that watches the box (`restricted.RestrictedWatch`), between two looks. So a flood of refused
calls keeps that one thread busy, until the listener is closed, and no other box.

SECURITY: that a call was refused is the kernel's word, and noted before the caller has its answer. Nothing is let
through here.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import socket
import threading
import time
from collections.abc import Mapping

from autograder.box import restrict
from autograder.box.linux import refusals, seccomp, syscalls
from autograder.box.linux.policy import Profile
from autograder.box.zygote import receive


class Answerer:
    """Answers one box's refused calls, and notes them.

    Attributes:
        theirs: the socket that the worker sends the listener through; to be closed once it is on its way.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._woken, self._waker = os.pipe()
        self._lock = threading.Lock()
        self._listener: refusals.Listener | None = None
        self._refused: list[str] = []
        self._is_open = True
        self._poll = select.poll()
        for descriptor in (self._woken, self._ours.fileno()):
            self._poll.register(descriptor, select.POLLIN)

    def take(self) -> tuple[str, ...]:
        """Return the names of the calls refused since the last time, of those that are told of."""
        with self._lock:
            taken = tuple(self._refused)
            self._refused.clear()
            if self._listener:
                self._listener.forget()
            return taken

    def serve(self, for_s: float) -> None:
        """Answer for some seconds, or until `wake`. By one thread only, which closes as well."""
        ends = time.monotonic() + for_s
        while (left_s := ends - time.monotonic()) > 0:
            for descriptor, event in self._poll.poll(left_s * 1000):
                if descriptor == self._woken:
                    return
                if self._listener is None:
                    self._take_listener()
                elif event & select.POLLIN:
                    self._answer(self._listener)
                else:  # nobody is under the filter any more
                    self._let_go(self._listener)

    def wake(self) -> None:
        """Have `serve` return, now and from now on."""
        with self._lock:
            if self._is_open:
                os.write(self._waker, b"w")

    def close(self) -> None:
        """Close what is open; the kernel answers from here on."""
        with self._lock:
            self._is_open = False
            self._ours.close()
            self.theirs.close()
            for end in (self._woken, self._waker):
                os.close(end)
            if self._listener:
                self._listener.close()

    def _take_listener(self) -> None:
        self._poll.unregister(self._ours)
        message, descriptors = receive(self._ours)
        # Otherwise the worker has none, or has ended, or there was no room for one more descriptor here.
        if message == restrict.HANDED_OVER and descriptors:
            self._listener = refusals.Listener(*descriptors)
            self._poll.register(self._listener.descriptor, select.POLLIN)

    def _answer(self, listener: refusals.Listener) -> None:
        refusal = refusals.take(listener.descriptor)
        if refusal is None:
            return
        with self._lock:
            if listener.is_news(refusal):
                self._refused.append(syscalls.name_of(refusal.number))
        if listener.refuse(refusal, _errors().get(refusal.number, errno.EPERM)):
            self._let_go(listener)

    def _let_go(self, listener: refusals.Listener) -> None:
        self._poll.unregister(listener.descriptor)
        listener.close()


@functools.cache
def _errors() -> Mapping[int, int]:
    """Return what refused calls are answered with, by number: the same for all boxes, whatever their process is."""
    return seccomp.told_errors(Profile(only_signals_to=1))
