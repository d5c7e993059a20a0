"""Warm judges, the caller's side: starts judge zygotes, hands out attempts, takes the answers.

What a judge is and how it ends: `judge_zygote`. The box zygotes belong to this process (`box.zygotes`), which lends
them to the judges: started once, however many assignments and judges there are.

Killing any of the processes costs the attempts that it was made for, and nobody waits for ever: a judge's end closes
its status socket, and a zygote's end closes those of all its judges.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from autograder.box import cores, sealed, zygotes
from autograder.box.backends import NAMESPACES, RESTRICTED
from autograder.box.spec import BoxSpec
from autograder.box.zygote import receive
from autograder.course import LoadedAssignment
from autograder.errors import GradeError
from autograder.judge import orders
from autograder.judge.attempt import Settled, settle
from autograder.judge.judges import JudgeDied, Judges, Pending, Refused
from autograder.judge.options import AttemptOptions
from autograder.judge.orders import Begin, BoxZygote, Call, Order, ordered
from autograder.messages import Language, language, text
from autograder.results import Report
from autograder.submission import Submission

_START = "import sys; sys.path.append(sys.argv.pop(1)); from autograder.judge.judge_zygote import main; main()"
_ENDING_S = 10.0  # for a judge to close its boxes, and for a zygote to end


class WarmPending(Pending):
    """An attempt in a judge that was forked for it.

    Args:
        status: the judge's end closes the other side.
        answer: the file that it writes.
    """

    def __init__(self, status: socket.socket, answer: BinaryIO, zygote: JudgeZygoteProcess) -> None:
        self._status, self._answer, self._zygote = status, answer, zygote
        self._pidfd: int | None = None
        self._outcome: Report | Exception | None = None

    @property
    def socket(self) -> socket.socket:
        """What is to be waited for."""
        return self._status

    @property
    def ended(self) -> bool:
        """Whether its result is known."""
        return self._outcome is not None

    def gone(self, timeout_s: float = 0) -> bool:
        """Whether the judge has gone, or does so soon: after its answer it still waits for the end of its boxes."""
        if self._status.fileno() >= 0 and self.ended and _readable(self._status, timeout_s):
            self._status.close()
        return self._status.fileno() < 0

    def take(self) -> None:
        """Take one message, waiting for it."""
        message, descriptors = receive(self._status)
        if message == orders.STARTED and descriptors:
            (self._pidfd,) = descriptors
        elif message == orders.ANSWERED:
            self._end(self._read_answer())
        elif not message:
            self._end(None)
            self._status.close()

    def result(self) -> Report:
        """Return the report."""
        while self._outcome is None:
            self.take()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def interrupt(self, signal_number: int) -> None:
        """Send the judge a signal; one that is not forked yet will never be."""
        while not self.ended and _readable(self._status):
            self.take()
        if not self.ended and self._pidfd is None:
            self._status.shutdown(socket.SHUT_RDWR)
            while not self.ended and self._pidfd is None:  # it may have come between the last look and the shutdown
                self.take()
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal_number)

    def _read_answer(self) -> Report | Exception | None:
        self._answer.seek(0)
        try:
            return orders.report_in(self._answer.read())
        except (GradeError, OSError) as error:
            return error

    def _end(self, outcome: Report | Exception | None) -> None:
        """Note the result, and close what is done with: a class run makes thousands of attempts."""
        self._outcome = outcome or self._zygote.died()
        self._answer.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


class JudgeZygoteProcess(zygotes.Zygote):
    """A judge zygote, as the caller holds it. It is collecting while the caller goes on; calls wait in the socket."""

    def __init__(self, folder: Path, *, hidden: bool) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(control, tempfile.TemporaryFile())  # noqa: SIM115 - closed with the zygote
        self._scratch = tempfile.mkdtemp(prefix="grade-judges-")
        package_root = str(Path(__file__).resolve().parents[2])
        utf8 = f"utf8={sys.flags.utf8_mode}"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-X", utf8, "-c", _START, package_root, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                # numpy's library starts its threads when it is imported, and a zygote must not have any.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
                # Ctrl-C in the terminal is for the caller, which then ends the judges.
                start_new_session=True,
            )
        begin = Begin(str(folder), hidden, language(), self._scratch)
        with contextlib.suppress(zygotes.ZygoteGone):  # told to whoever calls
            self.send(msgspec.msgpack.encode(begin), [])

    def call(self, call: Call, order: Order, lent: list[int]) -> WarmPending:
        """Have a judge forked.

        Raises:
            ZygoteGone: there is nobody to do that.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        answer = _memory_file()
        with theirs, _memory_file() as file:
            file.write(msgspec.msgpack.encode(order))
            file.flush()
            file.seek(0)
            try:
                self.send(msgspec.msgpack.encode(call), [theirs.fileno(), file.fileno(), answer.fileno(), *lent])
            except zygotes.ZygoteGone:
                ours.close()
                answer.close()
                raise
        return WarmPending(ours, answer, self)

    def died(self) -> JudgeDied:
        """Return the error for an attempt whose judge has ended without an answer."""
        return JudgeDied(text("judge.died", problem="" if self.alive else self.last_words()).strip())

    def close(self) -> None:
        """End it with every judge that it forked."""
        super().close()
        try:
            self._process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:  # in an import that does not end
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)  # it has done so, unless it was killed


class WarmJudges(Judges):
    """Judges forked from zygotes, one zygote for each assignment with or without its hidden checks.

    Args:
        at_once: how many attempts will run at a time; None: nobody knows what else computes here.
    """

    def __init__(self, at_once: int | None) -> None:
        self._at_once = at_once
        self._cores = cores.usable()
        self._zygotes: dict[tuple[Path, bool, Language], JudgeZygoteProcess] = {}
        self._running: list[WarmPending] = []

    def start(self, assignment: LoadedAssignment, submission: Submission, options: AttemptOptions) -> Pending:
        """Fork a judge for an attempt."""
        self._running = [one for one in self._running if not one.gone()]
        try:
            settled = settle(assignment, submission, options)
            boxes, lent = _lend(assignment, submission, options, settled)
            zygote = self._zygote_for(assignment, hidden=options.hidden)
            call = Call(options.data, boxes, spare=boxes is not None and self._has_idle_core(boxes.key))
            pending = zygote.call(call, _order(submission, options, settled), lent)
        except zygotes.ZygoteGone as error:
            return Refused(JudgeDied(text("judge.died", problem=error)))
        except (GradeError, OSError) as error:
            return Refused(error)
        self._running.append(pending)
        return pending

    def wait(self, pending: Collection[Pending], timeout_s: float | None = None) -> list[Pending]:
        """Wait for the first to end."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        running = {one.socket.fileno(): one for one in pending if isinstance(one, WarmPending) and not one.ended}
        poll = select.poll()
        for descriptor in running:
            poll.register(descriptor, select.POLLIN)
        while running and not (ended := _ended(pending)):
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                return []
            for descriptor, _ in poll.poll(None if left_s is None else left_s * 1000):
                running[descriptor].take()
        return ended if running else _ended(pending)

    def close(self) -> None:
        """Interrupt the judges that still run, then end the zygotes."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            running = [one for one in self._running if not one.ended]
            deadline = time.monotonic() + _ENDING_S
            for one in running:
                one.interrupt(number)
            while (left := [one for one in running if not one.ended]) and time.monotonic() < deadline:
                self.wait(left, deadline - time.monotonic())
        deadline = time.monotonic() + _ENDING_S
        for one in self._running:  # a zygote takes its judges with it, and with them who would remove their groups
            one.gone(max(deadline - time.monotonic(), 0))
        self._running.clear()
        while self._zygotes:
            self._zygotes.popitem()[1].close()

    def _has_idle_core(self, key: zygotes.Key) -> bool:
        """Whether a box may be started ahead for the next attempt.

        On a core that would do nothing it costs nobody anything. Where attempts keep all of them busy, it would take
        more of their time than it saves.
        """
        if self._at_once is None or key.isolation != NAMESPACES or key.nodes:
            return False
        return self._at_once * key.threads < self._cores

    def _zygote_for(self, assignment: LoadedAssignment, *, hidden: bool) -> JudgeZygoteProcess:
        key = (assignment.folder, hidden, language())
        known = self._zygotes.get(key)
        if known is None or not known.alive:
            if known is not None:
                known.close()
            known = self._zygotes[key] = JudgeZygoteProcess(assignment.folder, hidden=hidden)
        return known


def _ended(pending: Collection[Pending]) -> list[Pending]:
    return [one for one in pending if not isinstance(one, WarmPending) or one.ended]


def _lend(
    assignment: LoadedAssignment, submission: Submission, options: AttemptOptions, settled: Settled
) -> tuple[BoxZygote | None, list[int]]:
    """Return which box zygote a judge is lent, and its descriptors; none where boxes are started by themselves."""
    choice = settled.choice
    if choice.isolation not in {NAMESPACES, RESTRICTED}:
        return None, []
    spec = BoxSpec(
        {}, "", submission.frameworks, options.device, assignment.limits, python=settled.python, grant=choice.grant
    )
    key = sealed.key_for(spec, choice.isolation)
    zygote = zygotes.zygote_for(key, many=True)
    return BoxZygote(key, zygote.pid, str(zygote.folder)), list(zygote.lent)


def _order(submission: Submission, options: AttemptOptions, settled: Settled) -> Order:
    return Order(submission=submission, python=settled.python, choice=settled.choice, **ordered(options))


def _readable(sock: socket.socket, timeout_s: float = 0) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _memory_file() -> BinaryIO:
    return cast("BinaryIO", os.fdopen(os.memfd_create("grade", os.MFD_CLOEXEC), "w+b"))
