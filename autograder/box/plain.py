"""The `process` backend: the worker as a fresh Python process with a clean environment and limits, nowhere sealed.

It works on Linux, macOS and Windows, and guards against accidents on a student's own machine: endless loops, memory,
floods, crashes, processes left behind. It hides neither files nor the network; reports say `process`.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, NamedTuple, cast

import psutil

from autograder.box import leftovers
from autograder.box.channel import Channel, accept, offer
from autograder.box.interpreter import Interpreter

ISOLATION = "process"

# What a worker needs of the user's environment: to find libraries, the processor's quirks and devices. Nothing else:
# tokens and paths of the judge's environment are not the student's business.
_PASSED_ON = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "TZ",
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES",
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
)  # fmt: skip

_ROUNDS = 20  # of looking for what is left; who still forks after them is beyond what this backend promises
_SCRATCH_VARIABLE = "GRADE_BOX_SCRATCH"  # by which processes are known that outlive their worker

# Packages are loaded from their folders, and no folder of ours comes onto sys.path: around this package may lie all
# that grade has installed, which another Python must not see. The empty entry (Python 3.10 knows no -P) is the working
# directory, the student's: it must not come first.
LOAD_PACKAGES = """\
import sys
sys.path = [folder for folder in sys.path if folder]
from importlib.util import module_from_spec, spec_from_file_location
for name, folder in zip(("autograder", "msgspec"), (sys.argv.pop(1), sys.argv.pop(1))):
    if folder:
        spec = spec_from_file_location(name, folder + "/__init__.py", submodule_search_locations=[folder])
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
"""
_START = f"{LOAD_PACKAGES}from autograder.box.worker import main\nmain()\n"


PACKAGE = str(Path(__file__).resolve().parents[1])

# What start_new_session is on POSIX; the constant exists on Windows only.
_NEW_PROCESS_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class Running(NamedTuple):
    """A worker that has been started."""

    process: subprocess.Popen[bytes]
    channel: Channel
    output: IO[bytes]
    scratch: Path


def spawn(python: Interpreter, *, threads: int, cpu_only: bool, gpus: str = "") -> Running:
    """Start a worker and return at once; it is importing while the judge goes on.

    Args:
        python: to run it with.
        threads: to compute with; libraries read it when they are imported.
        cpu_only: hide GPUs from the frameworks.
        gpus: the only ones they may see, by the names that CUDA has for them; empty for those that the user sees.
    """
    folder = leftovers.make_scratch()
    made = offer()
    process = subprocess.Popen(
        [python.executable, "-B", "-X", "utf8", "-c", _START, PACKAGE, python.codec, made.argument],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder / "work",
        env=environment(folder, os.environ, python, threads=threads, cpu_only=cpu_only)
        | ({"CUDA_VISIBLE_DEVICES": gpus} if gpus and not cpu_only else {}),
        pass_fds=made.inherit,
        # A session of its own: Ctrl-C in the terminal is for the judge, which then ends the box.
        start_new_session=True,
        creationflags=_NEW_PROCESS_GROUP,
    )
    stdin, output = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    with contextlib.suppress(OSError):  # it died at once; the channel will say so
        stdin.write(made.secret)
        stdin.close()
    return Running(process, accept(made), output, folder)


def environment(
    scratch: Path, ours: Mapping[str, str], python: Interpreter, *, threads: int, cpu_only: bool
) -> dict[str, str]:
    """Return the worker's whole environment."""
    home, temporary = str(scratch / "home"), str(scratch / "tmp")
    made = {name: ours[name] for name in _PASSED_ON if name in ours}
    made |= python.environment(made.get("PATH", ""))
    made |= dict.fromkeys(("HOME", "USERPROFILE", "MPLCONFIGDIR", "KERAS_HOME"), home)
    made |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary)
    made |= dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
         "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
        str(threads),
    )  # fmt: skip
    made |= {
        _SCRATCH_VARIABLE: str(scratch),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "Agg",
        "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads on a busy machine make ten steps take a second
        # 2^20 cycles, half a millisecond: without it numpy's threads spin for 25 ms, once at the start of each box.
        "OPENBLAS_THREAD_TIMEOUT": "20",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TORCHDYNAMO_DISABLE": "1",  # torch.compile would need a C compiler; it runs eagerly instead
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }
    if cpu_only:
        made["CUDA_VISIBLE_DEVICES"] = ""
    return made


def end(running: Running) -> None:
    """Kill the worker with everything it has started, close what was opened, remove the scratch folder."""
    kill(running)
    running.channel.close()
    running.process.wait()
    # Not running.output: its drain thread is reading it, and sees the end now. A daemon that escaped would keep the
    # pipe open; the thread is a daemon thread and holds nobody up.
    leftovers.remove(running.scratch)


def kill(running: Running) -> None:
    """Kill the worker and what it has started; where it has ended by itself, what it left behind."""
    has_ended = running.process.poll() is not None
    members = [] if has_ended else kill_tree(running.process)
    # What forks while its tree is being listed is not in the list.
    if has_ended or len(members) > 1:
        for _ in range(_ROUNDS):
            if not kill_orphans(running.scratch):
                break


def kill_tree(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Kill a process and all its descendants, and return them.

    The worker is a child subreaper on Linux, so that daemons are found among its descendants as long as it lives. Once
    it has been waited for, its number may be a stranger's: then nothing is killed by it.
    """
    if process.poll() is not None:
        return []
    tree = process_tree(process.pid)
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, 9)
    for member in tree:
        with contextlib.suppress(psutil.Error):
            member.kill()
    return tree


def kill_orphans(scratch: Path) -> int:
    """Kill what a worker has left behind, known by its environment or by where it works; return how many there were.

    One that has changed both is not found; this backend guards against accidents only.
    """
    found = 0
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            ours = candidate.environ().get(_SCRATCH_VARIABLE) == str(scratch)
            if (ours or Path(candidate.cwd()).is_relative_to(scratch)) and candidate.status() != psutil.STATUS_ZOMBIE:
                candidate.kill()
                found += 1
    return found


def process_tree(pid: int) -> list[psutil.Process]:
    """Return the process and its descendants; empty once it is gone."""
    try:
        root = psutil.Process(pid)
        return [*root.children(recursive=True), root]
    except psutil.Error:
        return []


def family_of(pid: int) -> list[psutil.Process]:
    """Return the process and its descendants, without a look at every other process of the machine.

    A look takes a tenth of a millisecond instead of four. While one of them ends the kernel may leave out another: good
    for adding up again and again, not for killing.
    """
    if not os.path.exists("/proc/thread-self/children"):  # noqa: PTH110 - asked five times a second
        return process_tree(pid)
    found: list[psutil.Process] = []
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(psutil.Error, OSError):  # it has ended
            found.append(psutil.Process(one))
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return found


class Taken(NamedTuple):
    """What the processes of a box have taken."""

    memory_bytes: int  # at the most
    cpu_s: float


class MemoryWatch:
    """A thread that adds up the tree's memory and ends the box beyond the limit.

    The worker's own rlimit misses shared memory and counts each process by itself; this counts the whole tree.

    Args:
        pid: of the process that started all others.
        max_bytes: of all together.
        on_excess: ends the box.
        alone: nothing else would end it in time; without, there is no thread, and it looks only when it is asked.
    """

    _EVERY_S = 0.2

    def __init__(self, pid: int, max_bytes: int, on_excess: Callable[[], None], *, alone: bool = True) -> None:
        self._pid, self._max_bytes, self._on_excess = pid, max_bytes, on_excess
        self._max_cpu_s, self._on_cpu = math.inf, on_excess
        self._most_bytes = 0
        self._stop = threading.Event()
        if alone:
            threading.Thread(target=self._watch, name="box memory", daemon=True).start()

    def stop(self) -> None:
        """End the watch; it does not outlive the box."""
        self._stop.set()

    def limit_cpu(self, max_cpu_s: float, on_excess: Callable[[], None]) -> None:
        """Have `on_excess` called when all processes together have used more; the kernel bounds each by itself."""
        self._on_cpu, self._max_cpu_s = on_excess, max_cpu_s

    def taken(self) -> Taken:
        """Return what the tree has taken so far, as far as was looked at."""
        self._exceeded()
        return Taken(self._most_bytes, self._cpu_s())

    def _watch(self) -> None:
        while not self._pause():
            if self._exceeded():
                self._on_excess()
                return
            if self._max_cpu_s < math.inf and self._cpu_s() > self._max_cpu_s:
                self._on_cpu()
                return

    def _pause(self) -> bool:
        """Wait until it is time to look again; return whether it is time to end."""
        return self._stop.wait(self._EVERY_S)

    def _cpu_s(self) -> float:
        """Return the processor time of the tree; of those that have ended it is kept by who waited for them."""
        total = 0.0
        for member in self._members():
            with contextlib.suppress(psutil.Error):
                total += sum(member.cpu_times()[:4])
        return total

    def _exceeded(self) -> bool:
        # RSS counts pages that forked workers share once for each: a first look only. PSS is right, and slow.
        return self._sum("rss") > self._max_bytes and self._sum("pss") > self._max_bytes

    def _sum(self, what: str) -> int:
        total = 0
        for member in self._members():
            with contextlib.suppress(psutil.Error):
                total += self._bytes_of(member, what)
        if what == "rss":
            self._most_bytes = max(self._most_bytes, total)
        return total

    @staticmethod
    def _bytes_of(member: psutil.Process, what: str) -> int:
        # SECURITY: a container's root may not ask for the shares of another user's process, which a box is. What can't
        # be asked must count as it is, and not as nothing.
        if what == "pss":
            with contextlib.suppress(psutil.AccessDenied):
                asked = member.memory_full_info()
                return int(getattr(asked, what, asked.rss))
        return int(member.memory_info().rss)

    def _members(self) -> list[psutil.Process]:
        return process_tree(self._pid)
