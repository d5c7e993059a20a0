"""Zygotes, as the judge holds them: started on first use, kept for the course of a command, one for each kind.

`close_zygotes` ends them, and so does the end of this process, however it comes. A judge that was forked for one
attempt is lent a copy of the control socket instead (`borrow`): a request is one message, so that many judges can share
one socket, and each box answers on a socket of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import IO, NamedTuple

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
_LAST_BYTES = 2000
_NO_FOLDER = Path()
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


class Lent(NamedTuple):
    """Descriptors that make a zygote another process's, too."""

    control: int
    errors: int


class Zygote:
    """A zygote that can be asked for boxes: one that this process has started, or one that it was lent.

    Args:
        control: requests go to it.
        errors: the file that its stderr is written to.
        pid: of the process that was started.
        folder: where the boxes' scratch folders are made, for want of a mount namespace.
    """

    def __init__(self, control: socket.socket, errors: IO[bytes], pid: int = 0, folder: Path = _NO_FOLDER) -> None:
        self._control, self._errors = control, errors
        self._said = ""  # at its end
        self.pid, self.folder = pid, folder

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self.ends_within(0)

    @property
    def lent(self) -> Lent:
        """The descriptors to be lent; they stay this process's own."""
        return Lent(self._control.fileno(), self._errors.fileno())

    def ends_within(self, timeout_s: float) -> bool:
        """Whether it has ended, or does so soon."""
        if self._control.fileno() < 0:  # let go of; what it was asked for may still be waited for
            return True
        poll = select.poll()
        poll.register(self._control, 0)  # nothing but the end of the other side, of which nobody else has a copy
        return bool(poll.poll(timeout_s * 1000))

    def fork(self, request: SealRequest, descriptors: list[int]) -> None:
        """Ask for a box; what comes of it is told on the status socket among the descriptors.

        Raises:
            ZygoteGone: it has ended.
        """
        self.send(msgspec.msgpack.encode(request), descriptors)

    def last_words(self) -> str:
        """Return the end of what it wrote to its stderr: why it could not start."""
        if self._errors.closed:
            return self._said
        size = os.fstat(self._errors.fileno()).st_size
        # Not by seek: the position is shared with whoever was lent a copy, and with the zygote, which writes there.
        return os.pread(self._errors.fileno(), _LAST_BYTES, max(size - _LAST_BYTES, 0)).decode(errors="replace")

    def close(self) -> None:
        """Let go of it."""
        self._control.close()
        self._said = self.last_words()
        self._errors.close()

    def disown(self) -> None:
        """Let go of it in a process that was forked from this one."""
        # Not self.close(): whoever started the zygote waits for it there, and removes the folder of all its boxes.
        Zygote.close(self)

    def send(self, message: bytes, descriptors: list[int]) -> None:
        """Send one message with descriptors.

        Raises:
            ZygoteGone: it has ended.
        """
        try:
            socket.send_fds(self._control, [message], descriptors)
        except OSError as error:
            raise ZygoteGone(f"{error}; {self.last_words()}") from None


class ZygoteProcess(Zygote):
    """A zygote that this process has started. It is importing while the judge goes on; requests wait in the socket."""

    def __init__(self, key: Key, *, many: bool = False) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = make_folder() if key.isolation == RESTRICTED else _NO_FOLDER
        super().__init__(control, tempfile.TemporaryFile(), folder=folder)  # noqa: SIM115 - closed with the zygote
        python = key.python
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
        self.pid = self._process.pid
        scratch_folder = str(self.folder) if key.isolation == RESTRICTED else ""
        begin = Begin(list(key.frameworks), key.threads, scratch_folder, list(key.nodes), many)
        with contextlib.suppress(ZygoteGone):  # whoever asks it for a box is told
            self.send(msgspec.msgpack.encode(begin), [])

    def close(self) -> None:
        """End it with every box that it forked."""
        self._control.close()
        try:
            self._process.wait(_GONE_S)
        except subprocess.TimeoutExpired:  # in an import that does not end
            self._process.kill()
            self._process.wait()
        super().close()
        if self.folder != _NO_FOLDER:
            leftovers.remove(self.folder)

    def disown(self) -> None:
        """Let go of it in a process that was forked from this one."""
        super().disown()
        self._process.returncode = 0  # not ours to wait for


_zygotes: dict[Key, Zygote] = {}


def zygote_for(key: Key, *, many: bool = False) -> Zygote:
    """Return the zygote for a key: one that runs, ours or lent, or a new one.

    Args:
        key: what it is made for.
        many: a new one prepares for so many boxes that it pays to make each cheaper.
    """
    known = _zygotes.get(key)
    if known is None or not known.alive:
        if known is not None:
            known.close()
        known = _zygotes[key] = ZygoteProcess(key, many=many)
    return known


def borrow(key: Key, lent: Lent, pid: int, folder: Path) -> None:
    """Use a zygote of another process for this key. The descriptors are this process's from now on."""
    _zygotes[key] = borrowed(lent, pid, folder)


def borrowed(lent: Lent, pid: int, folder: Path) -> Zygote:
    """Return a zygote of another process. The descriptors are its own from now on."""
    return Zygote(socket.socket(fileno=lent.control), os.fdopen(lent.errors, "rb", buffering=0), pid, folder)


def close_zygotes() -> None:
    """End all zygotes, and with them every box."""
    for key in list(_zygotes):
        _zygotes.pop(key).close()


def _disown_zygotes() -> None:
    for key in list(_zygotes):
        _zygotes.pop(key).disown()


atexit.register(close_zygotes)
# SECURITY: a zygote ends when the last copy of its control socket is closed; no other process may keep one unknowingly.
os.register_at_fork(after_in_child=_disown_zygotes)
