"""Zygotes, as the judge holds them: started on first use, kept for the course of a command, one for each kind.

`close_zygotes` ends them, and so does the end of this process, however it comes.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec

from autograder.box import leftovers, plain
from autograder.box.backends import NAMESPACES, RESTRICTED
from autograder.box.interpreter import Interpreter, ours
from autograder.box.linux import mounts
from autograder.box.restrict import ZYGOTE_FOLDER
from autograder.box.scratch import make_folder
from autograder.box.seal import SealRequest
from autograder.box.zygote import Begin

_START = plain.LOAD_PACKAGES + "from autograder.box.{module} import main\nmain()\n"
_MODULES = {NAMESPACES: "zygote", RESTRICTED: "restrict"}
_GONE_S = 10.0  # a tree of processes that has been killed needs a quarter of a second where it is large


class Key(NamedTuple):
    """What a zygote is made for; boxes with the same can be forked from the same."""

    frameworks: tuple[str, ...]
    threads: int
    cpu_only: bool
    isolation: str = NAMESPACES
    python: Interpreter = ours()
    nodes: tuple[tuple[str, str], ...] = ()  # of granted GPUs


class ZygoteGone(OSError):
    """The zygote has ended, so it can't fork a box."""


class ZygoteProcess:
    """A zygote, as the judge holds it. It is importing while the judge goes on; requests wait in the socket."""

    def __init__(self, key: Key) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the zygote
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        python = key.python
        # Where the boxes' scratch folders are made, for want of a mount namespace.
        self.folder = make_folder() if key.isolation == RESTRICTED else Path()
        scratch = self.folder / ZYGOTE_FOLDER if key.isolation == RESTRICTED else mounts.SCRATCH
        environment = plain.environment(scratch, os.environ, python, threads=key.threads, cpu_only=key.cpu_only)
        # numpy's library starts its threads when it is imported, and a zygote must not have any.
        environment["OPENBLAS_NUM_THREADS"] = "1"
        # Nor may it see a GPU: the first step of an optimizer asks for one. Each box is told its own.
        environment["CUDA_VISIBLE_DEVICES"] = ""
        start = _START.replace("{module}", _MODULES[key.isolation])
        command = [python.executable, "-B", "-X", "utf8", "-c", start, plain.PACKAGE, python.codec]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                cwd="/",
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        scratch_folder = str(self.folder) if key.isolation == RESTRICTED else ""
        begin = Begin(list(key.frameworks), key.threads, scratch_folder, list(key.nodes))
        with contextlib.suppress(ZygoteGone):  # whoever asks it for a box is told
            self._send(msgspec.msgpack.encode(begin), [])

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ends_within(self, timeout_s: float) -> bool:
        """Whether it has ended, or does so soon."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def fork(self, request: SealRequest, descriptors: list[int]) -> None:
        """Ask for a box; what comes of it is told on the status socket among the descriptors.

        Raises:
            ZygoteGone: it has ended.
        """
        self._send(msgspec.msgpack.encode(request), descriptors)

    def last_words(self) -> str:
        """Return the end of what it wrote to its stderr: why it could not start."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:]

    def close(self) -> None:
        """End it with every box that it forked."""
        self._control.close()
        try:
            self._process.wait(_GONE_S)
        except subprocess.TimeoutExpired:  # in an import that does not end
            self._process.kill()
            self._process.wait()
        self._errors.close()
        if self.folder != Path():
            leftovers.remove(self.folder)

    def disown(self) -> None:
        """Let go of it in a process that was forked from the one that started it."""
        self._control.close()
        self._errors.close()
        self._process.returncode = 0  # not ours to wait for

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        try:
            socket.send_fds(self._control, [message], descriptors)
        except OSError as error:
            raise ZygoteGone(f"{error}; {self.last_words()}") from None


_zygotes: dict[Key, ZygoteProcess] = {}


def zygote_for(key: Key) -> ZygoteProcess:
    """Return the zygote for a key: one that runs, or a new one."""
    known = _zygotes.get(key)
    if known is None or not known.alive:
        if known is not None:
            known.close()
        known = _zygotes[key] = ZygoteProcess(key)
    return known


def close_zygotes() -> None:
    """End all zygotes, and with them every box."""
    for key in list(_zygotes):
        _zygotes.pop(key).close()


def _disown_zygotes() -> None:
    for key in list(_zygotes):
        _zygotes.pop(key).disown()


atexit.register(close_zygotes)
# SECURITY: a zygote ends when the last copy of its control socket is closed; no other process may keep one.
os.register_at_fork(after_in_child=_disown_zygotes)
