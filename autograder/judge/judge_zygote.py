"""The judge zygote: a process with pytest, numpy and an assignment's checks loaded, from which judges are forked.

    caller ── control socket: calls (small) with descriptors ──▶ judge zygote ── fork ──▶ judge of one attempt
      ▲ ◀─────────── status socket, one a judge: pidfd from the zygote, "answered" from the judge ──┘   │ requests
      └── two files a judge: the order that it reads, the answer that it writes                         ▼
                                                                 box zygote, shared by all judges ──▶ boxes

1. The caller (`warm`) starts it with a socket and sends `Begin`. It is a fresh process: a fork of the caller would
   inherit the locks of the caller's threads.
2. It runs pytest up to where the checks are collected and would be run. There it waits, and forks a judge for each
   call. The judge opens a session for its submission and goes on: the rest of pytest's run is its attempt.
3. The judge writes its answer, says so, waits for the end of its boxes, and ends. Whatever it did to modules, the
   environment or the working folder ends with it: the next one is forked from the same state.
4. Where the checks can't be loaded, the error is the answer to every call.
5. Asked to, it has a spare box (`box.spares`) forked for the next call of that kind; its judge gets it by the fork.

Everything here is trusted. Still no submission passes through this process: all later judges would carry it along. Only
one thread may exist at a fork, asserted each time: a lock held by another would stay locked in the judge for ever.

Ends: a judge dies with this process, this process when the caller closes the control socket or dies, and a box with its
judge (`box.zygote`). Who was killed leaves temporary files and control groups, which this process removes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn, cast

import msgspec

from autograder.box import seal
from autograder.box.linux import cgroup, syscalls
from autograder.box.sealed import Kind, kind_of
from autograder.box.spares import Spare, Spares
from autograder.box.spec import BoxSpec
from autograder.box.zygote import receive, send_descriptor
from autograder.box.zygotes import Key, Lent, borrow, borrowed
from autograder.course import LoadedAssignment
from autograder.datasets import Split
from autograder.errors import GradeError, InternalError
from autograder.judge import orders
from autograder.judge.attempt import assignment_in, build_report, require_device
from autograder.judge.boxes import Boxes
from autograder.judge.options import DataChoice
from autograder.judge.orders import Answer, Begin, Call, failure_of
from autograder.judge.pytest_run import Managed, run_checks
from autograder.judge.session import JudgeSession, Ready, data_ratio, mounted_folders, read_dataset
from autograder.judge.time_limits import benchmark_s, limits_for, reference_times
from autograder.messages import set_language, text
from autograder.results import Report
from autograder.submission import computing_framework

# What a judge imports when it first needs it: a check that fails, a hint, a sealed box, a median.
_IMPORTED_LATER = (
    "autograder.judge.expectations", "autograder.judge.proxy", "autograder.judge.verdict",
    "numpy.linalg", "numpy.ma", "numpy.random",
)  # fmt: skip

_OWN_DESCRIPTORS = 3  # of a call: status, order, answer; what follows was lent


def main() -> None:
    """Take up the control socket, and serve until it ends."""
    control = socket.socket(fileno=int(sys.argv.pop()))
    control.set_inheritable(False)
    begin = msgspec.msgpack.decode(control.recv(orders.MAX_MESSAGE_BYTES), type=Begin)
    set_language(begin.language)
    JudgeZygote(control, begin).run()


class Attempt:
    """What makes a forked process the judge of one attempt.

    Args:
        status: what is told on it, the caller hears; its end is the judge's.
        order: the file to read.
        answer: the file to write.
    """

    def __init__(self, status: int, order: int, answer: int) -> None:
        self._began, self._started = time.monotonic(), datetime.now(UTC)
        self._status, self._order, self._answer = status, order, answer

    def open_session(self, assignment: LoadedAssignment, ready: Ready) -> JudgeSession:
        """Read the order, and open the session that it asks for."""
        with os.fdopen(self._order, "rb") as file:
            order = orders.order_in(file.read())
        session = JudgeSession(
            assignment, order.submission, order.options, order.python, ready._replace(choice=order.choice)
        )
        try:
            require_device(session)
        except BaseException:
            session.boxes.close()
            raise
        return session

    def report(self, session: JudgeSession) -> Report:
        """Return the report of a session whose checks have been run."""
        return build_report(session, self._started, time.monotonic() - self._began)

    def answer(self, answer: Answer) -> None:
        """Give the answer to the caller."""
        with os.fdopen(self._answer, "wb") as file:
            file.write(msgspec.msgpack.encode(answer))
        with contextlib.suppress(OSError):  # nobody is interested any more
            os.write(self._status, orders.ANSWERED)


class _Judge(NamedTuple):
    pid: int
    spare: Spare | None  # that it was given


class JudgeZygote:
    """Loads the checks once, and forks a judge for each call.

    Args:
        control: calls come from it.
        begin: what to load.
    """

    def __init__(self, control: socket.socket, begin: Begin) -> None:
        self._control, self._begin = control, begin
        self._scratch = Path(begin.scratch)
        self._judges: dict[int, _Judge] = {}  # by pidfd
        self._spares = Spares()
        self._kinds: dict[tuple[Key, DataChoice], Kind | None] = {}  # of the boxes that may wait
        self._datasets: dict[DataChoice, Split] = {}
        self._attempt: Attempt | None = None  # in a judge: its own
        self._boxes: Boxes | None = None  # the same

    def run(self) -> NoReturn:
        """Serve until the control socket ends. A judge comes by here as well, once its checks have been run."""
        status = 1
        try:
            answer = self._load_and_judge()
            if self._attempt is None:
                self._refuse_all(answer)
            self._attempt.answer(answer)
            status = 0
        except KeyboardInterrupt:  # the caller was interrupted; the boxes are closed
            status = 128 + signal.SIGTERM
        # Broad: it ends here, a judge as well as the zygote; the caller is told what was the matter.
        except BaseException:  # noqa: BLE001
            traceback.print_exc(file=sys.__stderr__)
        finally:
            try:
                if self._boxes is not None:
                    self._boxes.close()
            finally:
                os._exit(status)

    def _load_and_judge(self) -> Answer:
        """Return a judge's answer; in the zygote itself, only why the checks can't be loaded."""
        managed: Managed | None = None
        try:
            assignment = assignment_in(Path(self._begin.folder))
            managed = Managed(assignment, lambda: self._open_session(assignment))
            session = run_checks(managed, hidden=self._begin.hidden)
            return Answer(report=cast("Attempt", self._attempt).report(session).model_dump_json())
        # Broad: whatever it is, the caller is told.
        except Exception as error:  # noqa: BLE001
            return Answer(failure=failure_of(error))
        finally:
            if managed is not None and managed.session is not None:
                self._end_boxes(managed.session)

    def _end_boxes(self, session: JudgeSession) -> None:
        """Have an attempt's boxes end. They are waited for after the answer: the next attempt need not.

        But those with a GPU before it, for the next one is lent its memory.
        """
        self._boxes = session.boxes
        if self._boxes.may_hold_gpu:
            self._boxes.close()
        else:
            self._boxes.begin_to_close()

    # --- the zygote -------------------------------------------------------------------------------------------------

    def _open_session(self, assignment: LoadedAssignment) -> JudgeSession:
        """Get ready, and fork judges until the calls end; return in a judge, with its session."""
        for name in _IMPORTED_LATER:
            importlib.import_module(name)
        ready = Ready(benchmark_s=benchmark_s())
        # What is remembered, or compiled on first use.
        reference_times(assignment, None, 1.0, ready.benchmark_s)
        _ = assignment.checks_sha256  # of the files that were loaded just now
        with contextlib.suppress(OSError):
            cgroup.places()
        # Objects that are here to stay are not looked at again: the collector's marks would copy every page.
        gc.collect()
        gc.freeze()
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor != self._control.fileno():
                    poll.unregister(descriptor)
                    self._reap(descriptor)
                    continue
                _require_one_thread()
                call, descriptors = self._take()
                self._read_ahead(assignment, call.data)
                own = ready._replace(dataset=self._datasets.get(call.data))
                kind = self._kind_of(assignment, call, own)
                spare = self._spares.take(kind) if kind else None
                pid = os.fork()
                if pid == 0:
                    self._attempt = self._become_judge(call, descriptors)
                    return self._attempt.open_session(assignment, own._replace(spare=spare))
                if spare is not None:
                    spare.box.let_go()
                poll.register(self._watch(_Judge(pid, spare), descriptors[0]), select.POLLIN)
                self._let_go(call, kind, descriptors)

    def _take(self) -> tuple[Call, list[int]]:
        """Take the next call; where there will be none, end this process and with it all judges."""
        message, descriptors = receive(self._control)
        if not message:
            self._spares.end()
            shutil.rmtree(self._scratch, ignore_errors=True)
            os._exit(0)
        return msgspec.msgpack.decode(message, type=Call), descriptors

    def _refuse_all(self, answer: Answer) -> NoReturn:
        """Give every call the same answer."""
        while True:
            _, descriptors = self._take()
            status, order, given, *others = descriptors
            Attempt(status, order, given).answer(answer)
            for descriptor in (status, order, *others):
                os.close(descriptor)

    def _read_ahead(self, assignment: LoadedAssignment, data: DataChoice) -> None:
        """Read the dataset once for all judges. One that can't be read is each judge's to tell."""
        if assignment.spec.dataset is not None and data not in self._datasets:
            with contextlib.suppress(GradeError, OSError):
                self._datasets[data] = read_dataset(assignment, data)

    def _kind_of(self, assignment: LoadedAssignment, call: Call, ready: Ready) -> Kind | None:
        """Return which box may wait for the next attempt like this one; None where none may."""
        if not call.spare or call.boxes is None:
            return None
        asked = call.boxes.key, call.data
        if asked not in self._kinds:
            self._kinds[asked] = None
            with contextlib.suppress(GradeError, OSError):  # datasets that can't be mounted are each judge's to tell
                self._kinds[asked] = _kind_for(assignment, call.boxes.key, call.data, ready)
        return self._kinds[asked]

    def _watch(self, judge: _Judge, status: int) -> int:
        """Tell the caller of its judge, and note the judge's pidfd, which is returned."""
        pidfd = os.pidfd_open(judge.pid)
        self._judges[pidfd] = judge
        try:
            send_descriptor(status, orders.STARTED, pidfd)
        except OSError:  # the caller has given it up
            os.kill(judge.pid, signal.SIGKILL)
        return pidfd

    def _let_go(self, call: Call, kind: Kind | None, descriptors: list[int]) -> None:
        """Forget everything of a call, but for what the next one of its kind is to find."""
        own, lent = descriptors[:_OWN_DESCRIPTORS], descriptors[_OWN_DESCRIPTORS:]
        for descriptor in own:
            os.close(descriptor)
        if call.boxes is None:
            return
        # SECURITY: closed again at once. A zygote ends when nobody has a copy of its control socket.
        zygote = borrowed(Lent(*lent), call.boxes.pid, Path(call.boxes.folder))
        try:
            if kind is not None:
                with contextlib.suppress(OSError):  # the next judge will be told why there can be no box
                    self._spares.keep(kind, zygote)
        finally:
            zygote.close()

    def _reap(self, pidfd: int) -> None:
        judge = self._judges.pop(pidfd)
        _, status = os.waitpid(judge.pid, 0)
        os.close(pidfd)
        shutil.rmtree(self._scratch_of(judge.pid), ignore_errors=True)
        if judge.spare is not None:  # named after this process, which started it
            judge.spare.box.remove_group()
        if status:  # it has cleaned up nothing
            with contextlib.suppress(OSError):
                for place in cgroup.places():
                    cgroup.remove_leftovers(place.folder)

    def _scratch_of(self, pid: int) -> Path:
        return self._scratch / str(pid)

    # --- a judge ----------------------------------------------------------------------------------------------------

    def _become_judge(self, call: Call, descriptors: list[int]) -> Attempt:
        """Let go of what is the zygote's, and take what came with the call."""
        zygote = os.getppid()
        syscalls.die_with_parent()
        if os.getppid() != zygote or zygote == 1:  # it died before
            os._exit(1)
        self._control.close()
        self._spares.disown()
        for pidfd in self._judges:
            os.close(pidfd)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _interrupt)
        status, order, answer, *lent = descriptors
        attempt = Attempt(status, order, answer)
        if call.boxes is not None:
            borrow(call.boxes.key, Lent(*lent), call.boxes.pid, Path(call.boxes.folder))
        scratch = self._scratch_of(os.getpid())
        scratch.mkdir(mode=0o700)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(scratch)  # where tmp_path makes its folders
        return attempt


def _kind_for(assignment: LoadedAssignment, key: Key, data: DataChoice, ready: Ready) -> Kind:
    """Return what a session will ask for, once the submission is known; where it asks for another, that box ends."""
    ratio = data_ratio(assignment, data, ready.dataset)
    reference = reference_times(assignment, computing_framework(key.frameworks), ratio, ready.benchmark_s)
    limits, folders = limits_for(assignment.limits, reference), mounted_folders(assignment)
    device = "cpu" if key.cpu_only else "auto"
    return kind_of(BoxSpec({}, "", key.frameworks, device, limits, python=key.python, datasets=folders))


def _require_one_thread() -> None:
    if (threads := seal.thread_count()) != 1:
        raise InternalError(text("judge.threads", count=threads))


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt  # not SystemExit: pytest would take that for the result of the check that runs


if __name__ == "__main__":
    main()
